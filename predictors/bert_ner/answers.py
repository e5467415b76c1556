"""Entities in answers: as the predictor writes them, and as those in front of it read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from bert_ner.entities import Entity
from modelserve.errors import PredictorFailed
from modelserve.protocol.messages import InferenceResponse, Tensor, bytes_array


def entities_tensor(entities: Iterable[Sequence[Entity]]) -> Tensor:
    """The output ``entities``: a JSON array for each text."""
    values = [orjson.dumps(of_text) for of_text in entities]
    return Tensor("entities", "BYTES", bytes_array(values, (len(values),)))


def types_and_scores(entities: Iterable[Sequence[Entity]]) -> tuple[list[str], list[float]]:
    """The type and the score of every entity of every text."""
    found = [entity for of_text in entities for entity in of_text]
    return [entity["type"] for entity in found], [entity["score"] for entity in found]


def read_entities(response: InferenceResponse, *, texts: int) -> list[list[Entity]]:
    """The entities of each text that a request held.

    Raises:
        PredictorFailed: the answer holds no such entities.
    """
    tensor = response.output("entities")
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
