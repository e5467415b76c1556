"""Rounds in turn: every contender once, then every contender again.

A machine's speed drifts, with its temperature and its neighbours; what is measured in turn drifts
alike. Every server is up all the while, and held when it is not its turn.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from statistics import median

from benchmarks.baseline import Baseline, baseline
from benchmarks.contenders import CONTENDERS
from benchmarks.environments import NotInstalled
from benchmarks.models import Kind
from benchmarks.servers import NotServing, Server, serving

DIRECT = "direct"

CHECKED = 16
"""Items whose answers have to be equal before anything is timed."""

Turns = Mapping[str, Callable[[], Awaitable[float]]]
"""For each contender's name, and ``DIRECT``, what measures it once."""


class Field:
    """Who takes part: the baseline, the servers by name, and why others do not."""

    def __init__(self, direct: Baseline) -> None:
        self.direct = direct
        self.servers: dict[str, Server] = {}
        self.absent: dict[str, str] = {}

    async def take_turns(self, turns: Turns, *, rounds: int) -> dict[str, list[float]]:
        """Measure every contender once a round, each round from another one on; a list for each."""
        found: dict[str, list[float]] = {name: [] for name in turns}
        names = list(turns)
        for number in range(rounds):
            start = number % len(names)
            for name in names[start:] + names[:start]:
                with self.servers[name].turn() if name in self.servers else nullcontext():
                    found[name].append(await turns[name]())
        return found


@asynccontextmanager
async def field(kind: Kind, *, threads: int) -> AsyncIterator[Field]:
    """Start the baseline and every server, and hold their answers against each other.

    Raises:
        AssertionError: modelserve does not answer as the direct call does.
    """
    async with AsyncExitStack() as stack:
        field = Field(await stack.enter_async_context(baseline(kind, threads=threads)))
        expected = await field.direct.order("answers", CHECKED)
        for contender in CONTENDERS:
            try:
                server = await stack.enter_async_context(serving(contender, kind, threads=threads))
                answers = await server.answers(kind.items[:CHECKED])
            except (NotInstalled, NotServing) as error:
                print(f"{contender.title} takes no part: {error}", file=sys.stderr)
                field.absent[contender.title] = str(error)
                continue
            if [_plain(answer) for answer in answers] != expected:
                print(f"{contender.title} takes no part: it answers otherwise", file=sys.stderr)
                field.absent[contender.title] = "its answers are others than those of the direct call"
                continue
            field.servers[contender.title] = server
            server.hold()
        assert "modelserve" in field.servers, field.absent
        yield field


def ratio(rounds: Mapping[str, list[float]], one: str, other: str) -> float:
    """The median over rounds of one contender's figure over another's in the same round."""
    return median(a / b for a, b in zip(rounds[one], rounds[other], strict=True))


def difference(rounds: Mapping[str, list[float]], one: str, other: str) -> float:
    """The median over rounds of one contender's figure less another's in the same round."""
    return median(a - b for a, b in zip(rounds[one], rounds[other], strict=True))


def medians(found: Mapping[str, list[float]]) -> dict[str, float]:
    """The median over rounds of each contender."""
    return {name: median(values) for name, values in found.items()}


def _plain(answer: object) -> object:
    """As JSON would give it back: tuples are lists."""
    return [list(entity) for entity in answer] if isinstance(answer, list) else answer
