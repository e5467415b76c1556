"""Memory over ten thousand requests: how much, and whether it grows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import median

from benchmarks import models
from benchmarks.claims import Claim, Options, Result, table_of
from benchmarks.contenders import OURS
from benchmarks.models import Kind
from benchmarks.servers import Server, serving
from modelserve.bench.loops import ClosedLoop

TITLE = "Memory over 10,000 requests (both sample models)"

_CALLERS = 32
_SAMPLES = 100
_MOST_MEGABYTES = 400.0
_MOST_GROWTH = 0.02
"""Growth over the last half, as a share: an allocator's noise, and no leak that would matter."""


async def measure(options: Options) -> Result:
    """Resident memory after each hundredth of the requests, for both models."""
    requests = int(options.choose(10_000, 500))
    found = {}
    for kind in (models.small_ner(), models.small_image()):
        async with serving(OURS, kind, threads=options.threads) as server:
            found[kind.name] = {"title": kind.title, **await _measure_server(server, kind, requests)}
    return found


async def _measure_server(server: Server, kind: Kind, requests: int) -> Result:
    loop = ClosedLoop(server.target, server.calls(kind.items), callers=_CALLERS)
    running = asyncio.create_task(loop.run(requests=requests))
    counts: list[int] = []
    megabytes: list[float] = []
    while not running.done():
        if len(loop.recording) >= len(counts) * requests / _SAMPLES:
            counts.append(len(loop.recording))
            megabytes.append(server.resident_bytes() / 1e6)
        await asyncio.sleep(0.02)
    report = await running
    counts.append(len(loop.recording))
    megabytes.append(server.resident_bytes() / 1e6)
    half = megabytes[len(megabytes) // 2 :]
    fifth = max(1, len(half) // 5)
    return {
        "requests": counts,
        "megabytes": megabytes,
        "after": megabytes[-1],
        "growth": median(half[-fifth:]) / median(half[:fifth]) - 1,
        "outcomes": report.outcomes,
    }


def claims(result: Result) -> Sequence[Claim]:
    """Little, and no more at the end than in the middle."""
    judged = []
    for of in result.values():
        judged.append(
            Claim(f"memory after the requests, {of['title']}", of["after"], _MOST_MEGABYTES, unit=" MB")
        )
        judged.append(Claim(f"growth over the last half of them, {of['title']}", of["growth"], _MOST_GROWTH))
    return judged


def table(result: Result) -> Sequence[str]:
    """One table."""
    rows = [
        [
            of["title"],
            str(of["requests"][-1]),
            f"{of['megabytes'][0]:.0f}",
            f"{of['after']:.0f}",
            f"{of['growth']:+.1%}",
        ]
        for of in result.values()
    ]
    return table_of(["", "requests", "at first, MB", "after, MB", "over the last half"], rows)
