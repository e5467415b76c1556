"""The predictor's entities, from its sentences back into the documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bert_ner.entities import Entity
from modelserve.errors import PredictorFailed
from modelserve.sentences import Span


def place_entities(document: str, spans: Sequence[Span], found: Iterator[list[Entity]]) -> list[Entity]:
    """The entities of a document, with spans that count in it.

    Args:
        document: the text.
        spans: start and end of each of its sentences, in order.
        found: the entities of sentences, of which as many are taken as the document has.

    Raises:
        PredictorFailed: an entity does not lie in its sentence.
    """
    return [_place(entity, document, start, end) for start, end in spans for entity in next(found)]


def _place(entity: Entity, document: str, start: int, end: int) -> Entity:
    first, last = start + entity["start"], start + entity["end"]
    # A predictor that counts in bytes or in UTF-16 would be right in most texts and wrong in the others.
    if last > end or document[first:last] != entity["text"]:
        error = ValueError(f"no {entity['text']!r} from {entity['start']!r} to {entity['end']!r}")
        raise PredictorFailed(f"the predictor's entities cannot be read ({error!r})")
    return {**entity, "start": first, "end": last}
