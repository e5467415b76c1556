"""What is done with the names that a tagger found."""

from __future__ import annotations

from collections import Counter
from typing import Any


def redact(
    texts: list[str], entities: list[list[dict[str, Any]]], types: list[str] | None = None
) -> list[str]:
    """Texts with ``[TYPE]`` where an entity was.

    Args:
        texts: in which they were found.
        entities: of each text, with ``type``, ``start`` and ``end`` in code points.
        types: that are taken out; all where it is not said.

    Raises:
        ValueError: there are not as many texts as lists of entities.
    """
    return [_redacted(text, inside, types) for text, inside in zip(texts, entities, strict=True)]


def count_entities(entities: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """How often each name was found: counts by text, by type, the most frequent first.

    Args:
        entities: of each text, with ``type`` and ``text``.
    """
    counts: dict[str, Counter[str]] = {}
    for entity in (one for inside in entities for one in inside):
        counts.setdefault(entity["type"], Counter())[entity["text"]] += 1
    return {name: dict(counts[name].most_common()) for name in sorted(counts)}


def _redacted(text: str, entities: list[dict[str, Any]], types: list[str] | None) -> str:
    parts, end = [], 0
    for entity in sorted(entities, key=lambda one: (one["start"], -one["end"])):
        if entity["end"] <= end or (types is not None and entity["type"] not in types):
            continue  # within one that is taken out already, or not to be
        if entity["start"] >= end:
            parts.append(f"{text[end : entity['start']]}[{entity['type']}]")
        end = entity["end"]
    return "".join(parts) + text[end:]
