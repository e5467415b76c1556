"""Two answers to one request, put side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from modelserve.errors import ModelServeError
from modelserve.events.calls import Call, Classification, Entity, ImageCall, TextCall


class ComparisonError(ModelServeError):
    """The two are no answers to the same request."""


@dataclass(frozen=True, slots=True)
class EntityCounts:
    """The new answer's entities against the logged one's, as if that were the truth."""

    both: int
    only_new: int
    only_logged: int


@dataclass(frozen=True, slots=True)
class ItemComparison:
    """The answers for one text or image.

    Attributes:
        disagrees: entities of one are not in the other, or the best labels differ.
        severity: how sure the surer answer is of what the other does not say, 0 to 1; 0 where they agree.
        distances: absolute differences of scores: of each entity that both found, or of the label that the
            logged answer has for the best.
        entities: None of an image.
    """

    disagrees: bool
    severity: float
    distances: Sequence[float]
    entities: EntityCounts | None


def compare(logged: Call, replayed: Call) -> Sequence[ItemComparison]:
    """Compare the answers for each text or image of a request.

    Raises:
        ComparisonError: one answers texts and the other images, or they answer different numbers of them.
    """
    if isinstance(logged, TextCall) and isinstance(replayed, TextCall):
        _check_counts(len(logged.entities), len(replayed.entities))
        return [_texts(old, new) for old, new in zip(logged.entities, replayed.entities, strict=True)]
    if isinstance(logged, ImageCall) and isinstance(replayed, ImageCall):
        _check_counts(len(logged.classes), len(replayed.classes))
        return [_images(old, new) for old, new in zip(logged.classes, replayed.classes, strict=True)]
    raise ComparisonError("one answer is of texts and the other of images; two of a kind are accepted")


def place(entity: Entity) -> tuple[str, int, int]:
    """What two answers have to have in common to name the same entity."""
    return entity.type, entity.start, entity.end


def _check_counts(logged: int, replayed: int) -> None:
    if logged != replayed:
        raise ComparisonError(
            f"the new answer is of {replayed} items, the logged one of {logged}; as many are accepted"
        )


def _texts(logged: Sequence[Entity], replayed: Sequence[Entity]) -> ItemComparison:
    old = {place(entity): entity.score for entity in logged}
    new = {place(entity): entity.score for entity in replayed}
    both = old.keys() & new.keys()
    counts = EntityCounts(len(both), len(new) - len(both), len(old) - len(both))
    lonely = [
        score for one, other in ((old, new), (new, old)) for key, score in one.items() if key not in other
    ]
    return ItemComparison(
        disagrees=bool(lonely),
        severity=max(_finite(lonely), default=0.0),
        distances=_finite([abs(old[key] - new[key]) for key in sorted(both)]),
        entities=counts,
    )


def _images(logged: Classification, replayed: Classification) -> ItemComparison:
    best, new_best = (next(iter(one.labels), None) for one in (logged, replayed))
    disagrees = best != new_best
    return ItemComparison(
        disagrees=disagrees,
        severity=max(_finite([*logged.scores[:1], *replayed.scores[:1]]), default=0.0) if disagrees else 0.0,
        distances=_finite([abs(logged.scores[0] - _score(replayed, best))]) if best and new_best else (),
        entities=None,
    )


def _score(answer: Classification, label: str) -> float:
    """Of a label that is not among the best, the least of theirs: its own is that or less."""
    scores = dict(zip(answer.labels, answer.scores, strict=True))
    return scores.get(label, answer.scores[-1])


def _finite(values: Sequence[float]) -> Sequence[float]:
    """A server may answer NaN, which would make every sum one."""
    return [float(value) for value in values if math.isfinite(value)]
