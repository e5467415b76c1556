"""How long one caller waits, beside the time that the call itself takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from benchmarks import models
from benchmarks.claims import Claim, Options, Result, table_of
from benchmarks.contenders import OURS
from benchmarks.measures.rounds import DIRECT, difference, field, medians
from benchmarks.models import Kind
from benchmarks.servers import Server
from modelserve.bench.loops import ClosedLoop

TITLE = "Latency of one caller"

_MOST_ADDED_MS = 1.5


async def measure(options: Options) -> Result:
    """The median wait of every contender, for both models."""
    return {kind.name: await _measure_kind(kind, options) for kind in (models.image(), models.ner())}


async def _measure_kind(kind: Kind, options: Options) -> Result:
    seconds, rounds = options.choose(1, 1), int(options.choose(20, 1))
    async with field(kind, threads=options.threads) as taking_part:

        async def turn(server: Server) -> float:
            loop = ClosedLoop(server.target, server.calls(kind.items), callers=1)
            report = await loop.run(warm_up_seconds=seconds / 5, seconds=seconds)
            assert report.latency is not None, report.outcomes
            return report.latency.p50_ms

        turns = {title: partial(turn, server) for title, server in taking_part.servers.items()}
        found = await taking_part.take_turns(
            {DIRECT: partial(taking_part.direct.order, "latency_ms", seconds), **turns}, rounds=rounds
        )
        return {
            "title": kind.title,
            "p50_ms": medians(found),
            "rounds": found,
            "absent": taking_part.absent,
        }


def claims(result: Result) -> Sequence[Claim]:
    """What the server adds to the direct call."""
    return [
        Claim(
            f"latency, {of['title']}, one caller's median beyond the direct call's",
            difference(of["rounds"], OURS.title, DIRECT),
            _MOST_ADDED_MS,
            unit=" ms",
        )
        for of in result.values()
    ]


def table(result: Result) -> Sequence[str]:
    """A table for each model."""
    lines: list[str] = []
    for of in result.values():
        wait = of["p50_ms"]
        rows = [
            [title, f"{value:.2f}", f"{difference(of['rounds'], title, DIRECT):+.2f}"]
            for title, value in sorted(wait.items(), key=lambda pair: pair[1])
        ]
        rows += [[title, "not measured", reason] for title, reason in of["absent"].items()]
        lines += [f"**{of['title']}**", "", *table_of(["", "median, ms", "beyond direct, ms"], rows), ""]
    return lines
