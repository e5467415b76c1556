"""Ten times as many calls as the server can do: it does as many as ever, and refuses the rest at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from benchmarks import machine, models
from benchmarks.claims import Claim, Options, Result, table_of
from benchmarks.contenders import OURS
from benchmarks.measures.throughput import load
from benchmarks.models import Kind
from benchmarks.servers import serving
from modelserve.bench.loops import OpenLoop
from modelserve.bench.outcomes import is_good

TITLE = "Ten times the capacity, offered for a minute"

_TIMES = 10
_LEAST_OF_PEAK = 0.9
_CONNECTIONS = 1024
"""More than the server's queue, so that what it refuses is its own decision."""

_REFUSALS = frozenset({"429", "503"})


async def measure(options: Options) -> Result:
    """The peak of a closed loop, the open loop, and the peak again, for both models."""
    with machine.giving_way():
        return {
            kind.name: {"title": kind.title, **await _measure_kind(kind, options)}
            for kind in (models.image(), models.ner())
        }


async def _measure_kind(kind: Kind, options: Options) -> Result:
    async with serving(OURS, kind, threads=options.threads) as server:
        await load(server, kind, 2.0)
        before = (await load(server, kind, options.choose(15, 2))).goodput
        loop = OpenLoop(
            server.target,
            server.calls(kind.items),
            rate=_TIMES * before,
            connections=_CONNECTIONS,
            timeout_seconds=120,
        )
        report = await loop.run(warm_up_seconds=2.0, seconds=options.choose(60, 4))
        after = (await load(server, kind, options.choose(15, 2))).goodput
    # A machine that drifts is another one after a minute: the peak is the mean of both ends.
    return {"peak": (before + after) / 2, "offered": _TIMES * before, **asdict(report)}


def claims(result: Result) -> Sequence[Claim]:
    """As much as at the peak, and no failure but a refusal."""
    judged = []
    for of in result.values():
        text = f"overload, {of['title']}, good answers over the closed loop's peak"
        judged.append(Claim(text, of["goodput"] / of["peak"], _LEAST_OF_PEAK, at_least=True))
        others = sum(
            count for name, count in of["outcomes"].items() if not is_good(name) and name not in _REFUSALS
        )
        judged.append(Claim(f"overload, {of['title']}, calls neither answered nor refused", others, 0))
    return judged


def table(result: Result) -> Sequence[str]:
    """One table."""
    rows = [
        [
            of["title"],
            f"{of['peak']:.1f}",
            f"{of['offered']:.0f}",
            f"{of['goodput']:.1f}",
            f"{of['goodput'] / of['peak']:.2f}",
            ", ".join(f"{name}: {count}" for name, count in of["outcomes"].items()),
            f"{of['latency']['p50_ms']:.0f} / {of['latency']['p99_ms']:.0f}" if of["latency"] else "",
        ]
        for of in result.values()
    ]
    head = ["", "peak/s", "offered/s", "good/s", "of peak", "outcomes", "p50 / p99 of good, ms"]
    most = max(of["generator_cpu"] for of in result.values())
    return [
        *table_of(head, rows),
        "",
        f"The generator used at most {most:.0%} of a core, which the server lacked. It waits for a core "
        "rather than interrupt who has it (SCHED_BATCH), as one on a machine of its own interrupts nobody.",
    ]
