"""A predictor's entities explained, and how sure it is of one at a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bert_ner.entities import Entity


@dataclass(frozen=True, slots=True)
class ExplainedEntity:
    """An entity, the score where every word is hidden, and what each word contributes, [words]."""

    entity: Entity
    base_value: float
    contributions: npt.NDArray[np.float64]


def scores_at(
    found: Sequence[Entity], wanted: Sequence[Entity], places: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """How sure the predictor is of each wanted entity's type at its place.

    Args:
        found: in a variation of the text.
        wanted: of the whole text.
        places: of the wanted ones in the variation, start and end, [wanted, 2].

    Returns:
        The best score of a found entity of the same type that overlaps the place, 0 where there is
        none, [wanted].
    """
    return np.array(
        [
            max(
                (
                    entity["score"]
                    for entity in found
                    if entity["type"] == one["type"] and entity["start"] < end and start < entity["end"]
                ),
                default=0.0,
            )
            for one, (start, end) in zip(wanted, places.tolist(), strict=True)
        ]
    )
