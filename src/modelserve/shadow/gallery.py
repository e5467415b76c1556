"""Disagreements to look at: the first ones and the worst ones, and no more than can be looked at."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from modelserve.events import LoggedMessage
from modelserve.events.calls import Call, ImageCall, TextCall
from modelserve.shadow.comparing import place
from modelserve.shadow.thumbnails import thumbnail

_MOST_CHARACTERS = 2000  # of a text
_MOST_FINDINGS = 50  # of an answer


@dataclass(frozen=True, slots=True)
class Finding:
    """An entity with its place, or a label; ``differs`` where the other answer says something else."""

    name: str
    score: float
    differs: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A text or an image that two answers differ on.

    Attributes:
        call: the id of the logged events.
        time: of the request, in seconds since 1970.
        number: of the item in its call, from 0.
        severity: as ``ItemComparison`` has it.
        text: its beginning; None of an image.
        thumbnail: a small PNG; None of a text, and of an image that cannot be shown.
        logged: the logged answer.
        replayed: the new one.
    """

    call: str
    time: float
    number: int
    severity: float
    text: str | None
    thumbnail: bytes | None
    logged: Sequence[Finding]
    replayed: Sequence[Finding]


def example_of(request: LoggedMessage, number: int, severity: float, logged: Call, replayed: Call) -> Example:
    """One item of a call, ready to be shown; an image is decoded for it.

    Args:
        request: of the call.
        number: of the item.
        severity: of the disagreement.
        logged: the logged call.
        replayed: the same call with the new answer.
    """
    text = small = None
    old: Sequence[Finding] = ()
    new: Sequence[Finding] = ()
    if isinstance(logged, TextCall) and isinstance(replayed, TextCall):
        text = logged.texts[number][:_MOST_CHARACTERS]
        old, new = _entities(logged, replayed, number), _entities(replayed, logged, number)
    elif isinstance(logged, ImageCall) and isinstance(replayed, ImageCall):
        small = thumbnail(logged.images[number])
        old, new = _labels(logged, number), _labels(replayed, number)
    return Example(request.id, request.time, number, severity, text, small, old, new)


def _entities(call: TextCall, other: TextCall, number: int) -> Sequence[Finding]:
    shared = {place(entity) for entity in other.entities[number]}
    return [
        Finding(f"{e.type} {e.text} [{e.start}, {e.end})", float(e.score), place(e) not in shared)
        for e in call.entities[number][:_MOST_FINDINGS]
    ]


def _labels(call: ImageCall, number: int) -> Sequence[Finding]:
    """The best label only is compared, and the next ones tell how near they were."""
    mine = call.classes[number]
    return [
        Finding(label, float(score), rank == 0)
        for rank, (label, score) in enumerate(zip(mine.labels[:3], mine.scores[:3], strict=True))
    ]


class Gallery:
    """Keeps the first and the worst.

    Args:
        most: of either.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._first: list[Example] = []
        self._worst: list[tuple[float, int, Example]] = []
        self._kept = 0

    def wants(self, severity: float) -> bool:
        """Whether a disagreement of that severity would be kept."""
        if len(self._first) < self._most:
            return True
        return bool(self._worst) and severity > self._worst[0][0]

    def keep(self, example: Example) -> None:
        """Take one that is wanted; the least of the worst makes room."""
        if len(self._first) < self._most:
            self._first.append(example)
        self._kept += 1
        heapq.heappush(self._worst, (example.severity, -self._kept, example))
        if len(self._worst) > self._most:
            heapq.heappop(self._worst)

    def examples(self) -> Sequence[Example]:
        """All of them, the worst first."""
        worst = [example for *_, example in sorted(self._worst, key=lambda kept: kept[:2], reverse=True)]
        return [*worst, *(example for example in self._first if example not in worst)]
