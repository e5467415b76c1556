"""SIGTERM under load: no call that the server had read goes without an answer.

What the server had read is told by TCP (``modelserve.bench.outcomes``): a call on a connection that was
closed before all of it was read is ``unread``, and may be sent again by its caller.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Sequence

from benchmarks import models
from benchmarks.claims import Claim, Options, Result, table_of
from benchmarks.contenders import OURS
from benchmarks.servers import STOP_SECONDS, serving
from modelserve.bench.loops import ClosedLoop

TITLE = "SIGTERM under load"

_CALLERS = 32
_AFTER_SECONDS = 0.7
"""How long callers go on calling at least after the signal."""

_ACCEPTED_AND_LOST = ("lost", "timeout", "malformed")


async def measure(options: Options) -> Result:
    """What became of every call, over many stops at random moments."""
    kind, tries = models.small_ner(), int(options.choose(100, 3))
    chance = random.Random(0)
    outcomes: Counter[str] = Counter()
    exits: Counter[str] = Counter()
    for _ in range(tries):
        async with serving(OURS, kind, threads=options.threads) as server:
            before = chance.uniform(0.2, 0.6)
            loop = ClosedLoop(server.target, server.calls(kind.items), callers=_CALLERS)
            running = asyncio.create_task(loop.run(seconds=before + _AFTER_SECONDS))
            await asyncio.sleep(before)
            server.process.send_signal(signal.SIGTERM)
            outcomes.update((await running).outcomes)
            exits[str(await asyncio.to_thread(server.process.wait, STOP_SECONDS))] += 1
    return {"tries": tries, "outcomes": dict(outcomes), "exit_statuses": dict(exits)}


def claims(result: Result) -> Sequence[Claim]:
    """None lost, and an end in order each time."""
    outcomes, exits = result["outcomes"], result["exit_statuses"]
    lost = sum(outcomes.get(name, 0) for name in _ACCEPTED_AND_LOST)
    return [
        Claim("SIGTERM under load, calls read and not answered", lost, 0),
        Claim("SIGTERM under load, exits with another status than 0", result["tries"] - exits.get("0", 0), 0),
    ]


def table(result: Result) -> Sequence[str]:
    """One table."""
    rows = [[name, str(count)] for name, count in sorted(result["outcomes"].items())]
    return [
        f"{result['tries']} tries with {_CALLERS} callers; exit statuses {result['exit_statuses']}.",
        "",
        *table_of(["outcome", "calls"], rows),
    ]
