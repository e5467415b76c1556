"""Most answers per second with 32 callers, beside the best that the same work does without a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks import models
from benchmarks.claims import Claim, Options, Result, table_of
from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.measures.rounds import DIRECT, Field, field, medians, ratio
from benchmarks.models import Kind
from benchmarks.servers import Server
from modelserve.bench.loops import ClosedLoop
from modelserve.bench.outcomes import is_good
from modelserve.bench.recording import Report

TITLE = "Throughput with 32 callers"
CALLERS = 32
BATCHES = (1, 2, 4, 8, 16, 32)

_LEAST_OF_DIRECT = {"image": 0.90, "ner": 0.75}
_LEAST_OF_PEERS = 1.5


async def measure(options: Options) -> Result:
    """Good answers per second of every contender, for both models."""
    return {kind.name: await _measure_kind(kind, options) for kind in (models.image(), models.ner())}


async def _measure_kind(kind: Kind, options: Options) -> Result:
    # A batch of 32 images takes more than a second, and a rate needs several of them.
    seconds = options.choose(8 if kind.name == "image" else 5, 2)
    rounds = int(options.choose(5, 1))
    async with field(kind, threads=options.threads) as taking_part:
        best, by_batch = await _best_batch(taking_part, options.choose(2, 0.5))
        generator_cpu: list[float] = []
        failures: dict[str, Counter[str]] = {title: Counter() for title in taking_part.servers}

        async def turn(server: Server) -> float:
            report = await load(server, kind, seconds)
            generator_cpu.append(report.generator_cpu)
            failures[server.contender.title].update(
                {name: count for name, count in report.outcomes.items() if not is_good(name)}
            )
            return report.goodput

        turns = {title: partial(turn, server) for title, server in taking_part.servers.items()}
        for server in taking_part.servers.values():
            with server.turn():
                await load(server, kind, seconds / 4)
        found = await taking_part.take_turns(
            {DIRECT: partial(taking_part.direct.order, "throughput", best, seconds), **turns}, rounds=rounds
        )
        return {
            "title": kind.title,
            "per_second": medians(found),
            "rounds": found,
            "direct_batch": best,
            "direct_by_batch": by_batch,
            "generator_cpu": max(generator_cpu),
            "failures": {title: dict(counted) for title, counted in failures.items() if counted},
            "absent": taking_part.absent,
        }


async def load(server: Server, kind: Kind, seconds: float) -> Report:
    """The closed loop of this measure."""
    loop = ClosedLoop(server.target, server.calls(kind.items), callers=CALLERS)
    return await loop.run(warm_up_seconds=min(1.5, seconds / 4), seconds=seconds)


async def _best_batch(taking_part: Field, seconds: float) -> tuple[int, dict[str, float]]:
    await taking_part.direct.order("throughput", 4, seconds)  # warms up
    found = {batch: await taking_part.direct.order("throughput", batch, seconds) for batch in BATCHES}
    return max(found, key=lambda batch: found[batch]), {str(batch): rate for batch, rate in found.items()}


def claims(result: Result) -> Sequence[Claim]:
    """A share of the direct call's, and a multiple of the best peer's."""
    judged = []
    for name, of in result.items():
        rate = of["per_second"]
        judged.append(
            Claim(
                f"throughput, {of['title']}, over the direct call's in its best batch",
                ratio(of["rounds"], OURS.title, DIRECT),
                _LEAST_OF_DIRECT[name],
                at_least=True,
            )
        )
        best = best_peer(rate)
        judged.append(
            Claim(
                f"throughput, {of['title']}, over the best peer's ({best})",
                ratio(of["rounds"], OURS.title, best) if best else None,
                _LEAST_OF_PEERS,
                at_least=True,
            )
        )
    return judged


def best_peer(rate: dict[str, float]) -> str | None:
    """The fastest of those that serve the same weights as their documentation has it."""
    peers = [c.title for c in CONTENDERS if c is not OURS and not c.is_given_our_graph and c.title in rate]
    return max(peers, key=lambda title: rate[title], default=None)


def table(result: Result) -> Sequence[str]:
    """A table for each model."""
    lines: list[str] = []
    for of in result.values():
        rate: dict[str, Any] = of["per_second"]
        rows = [
            [
                f"direct, batches of {of['direct_batch']}" if title == DIRECT else title,
                f"{value:.1f}",
                f"{ratio(of['rounds'], title, DIRECT):.2f}",
                ", ".join(f"{one:.1f}" for one in of["rounds"][title]),
            ]
            for title, value in sorted(rate.items(), key=lambda pair: -pair[1])
        ]
        rows += [[title, "not measured", "", reason] for title, reason in of["absent"].items()]
        lines += [f"**{of['title']}**", ""]
        lines += table_of(["", "answers per second", "of direct", "rounds"], rows)
        lines += ["", f"The generator used at most {of['generator_cpu']:.0%} of a core.", ""]
        for title, counted in of["failures"].items():
            lines += [f"{title} did not answer every call: {counted}.", ""]
    return lines
