"""The predictor's entities, read from its answers, and how sure it is of one at a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import orjson

from modelserve.errors import PredictorFailed
from modelserve.protocol.messages import InferenceResponse


class Entity(TypedDict):
    """A span of a text, in code points, with a score in [0, 1]."""

    type: str
    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class ExplainedEntity:
    """An entity, the score where every word is hidden, and what each word contributes, [words]."""

    entity: Entity
    base_value: float
    contributions: npt.NDArray[np.float64]


def read_entities(response: InferenceResponse, *, texts: int) -> list[list[Entity]]:
    """The entities of each text that a request held.

    Raises:
        PredictorFailed: the answer holds no such entities.
    """
    tensor = next((tensor for tensor in response.outputs if tensor.name == "entities"), None)
    if tensor is None or tensor.datatype != "BYTES" or tensor.array.size != texts:
        raise PredictorFailed(f"the predictor's answer has no output 'entities' of BYTES [{texts}]")
    try:
        return [[_entity(raw) for raw in orjson.loads(value)] for value in tensor.array.reshape(-1).tolist()]
    except (ValueError, TypeError, KeyError) as error:
        raise PredictorFailed(f"the predictor's entities cannot be read ({error!r})") from error


def _entity(raw: Any) -> Entity:
    start, end, score = raw["start"], raw["end"], raw["score"]
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end):
        raise ValueError(f"a span from {start!r} to {end!r}")
    return {
        "type": str(raw["type"]),
        "text": str(raw["text"]),
        "start": start,
        "end": end,
        "score": float(score),
    }


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
