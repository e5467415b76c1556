"""The predictor's entities, from its answers back into the documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from bert_ner.entities import Entity
from modelserve.errors import PredictorFailed
from modelserve.protocol.messages import InferenceResponse


def read_answers(responses: Iterable[InferenceResponse], counts: Iterable[int]) -> list[bytes]:
    """The JSON of each sentence's entities, in the order in which the sentences were asked for.

    Args:
        responses: of the predictor.
        counts: how many sentences each request held.

    Raises:
        PredictorFailed: an answer is not one of so many sentences.
    """
    found: list[bytes] = []
    for response, count in zip(responses, counts, strict=True):
        tensor = next((tensor for tensor in response.outputs if tensor.name == "entities"), None)
        if tensor is None or tensor.datatype != "BYTES" or tensor.array.size != count:
            raise PredictorFailed(f"the predictor's answer has no output 'entities' of BYTES [{count}]")
        found.extend(tensor.array.reshape(-1).tolist())
    return found


def place_entities(document: str, spans: Sequence[tuple[int, int]], answers: Iterator[bytes]) -> list[Entity]:
    """The entities of a document, with spans that count in it.

    Args:
        document: the text.
        spans: start and end of each of its sentences, in order.
        answers: as many are taken as there are sentences.

    Raises:
        PredictorFailed: an answer cannot be read, or its entities do not lie in their sentence.
    """
    placed = []
    for start, end in spans:
        try:
            placed += [_place(entity, document, start, end) for entity in orjson.loads(next(answers))]
        except (ValueError, TypeError, KeyError) as error:
            raise PredictorFailed(f"the predictor's entities cannot be read ({error!r})") from error
    return placed


def _place(entity: Any, document: str, start: int, end: int) -> Entity:
    first, last = start + entity["start"], start + entity["end"]
    text = document[first:last]
    # A predictor that counts in bytes or in UTF-16 would be right in most texts and wrong in the others.
    if not start <= first < last <= end or text != entity["text"]:
        raise ValueError(f"no {entity['text']!r} from {entity['start']!r} to {entity['end']!r}")
    return {
        "type": str(entity["type"]),
        "text": text,
        "start": first,
        "end": last,
        "score": float(entity["score"]),
    }
