"""Documents to sentences, and what was found in those back to places in the documents."""

from __future__ import annotations

from typing import Any

from modelserve.sentences import find_sentences


def split_sentences(text: str, language: str = "en") -> list[str]:
    """The sentences of one text, as they stand in it.

    Args:
        text: of any length.
        language: by its Wikipedia's code.
    """
    return [text[start:end] for start, end in find_sentences(text, language)]


def split_documents(documents: list[str], language: str = "en") -> dict[str, Any]:
    """The sentences of documents, all in one list, so that a model is asked about many at once.

    Args:
        documents: of any length.
        language: by its Wikipedia's code.

    Returns:
        ``texts``, the sentences, and ``places``: for each the number of its ``document``, from 0, and its
        ``start`` in that, in code points.
    """
    texts, places = [], []
    for number, document in enumerate(documents):
        for start, end in find_sentences(document, language):
            texts.append(document[start:end])
            places.append({"document": number, "start": start})
    return {"texts": texts, "places": places}


def gather_entities(
    documents: list[str], places: list[dict[str, Any]], entities: list[list[dict[str, Any]]]
) -> list[list[dict[str, Any]]]:
    """The entities of each document, in the order in which they are in it.

    Args:
        documents: that were split.
        places: of their sentences, as ``split_documents`` gives them.
        entities: of each sentence, with ``start`` and ``end`` in it.

    Raises:
        ValueError: there are not as many places as lists of entities.
    """
    found: list[list[dict[str, Any]]] = [[] for _ in documents]
    for place, inside in zip(places, entities, strict=True):
        offset = place["start"]
        found[place["document"]] += [
            {**entity, "start": entity["start"] + offset, "end": entity["end"] + offset} for entity in inside
        ]
    return found
