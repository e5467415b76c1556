"""Features of texts and of the entities found in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from modelserve.drift.features.language import guess_language
from modelserve.drift.table import Value
from modelserve.events.calls import Entity

DIMENSIONS = 64
"""Of an embedding: as many as the bits of the hash that it is made of."""

MOST_CHARACTERS = 10_000
"""Of a text that is looked at: a book says no more of drift than its first pages."""

_EXCERPT = 200


class TextFeatures:
    """What is told of a text.

    ``length`` (in the model's pieces), ``unknown_share`` of the pieces, ``embedding``, ``language``,
    ``confidence`` (the mean score of its entities), and ``has_TYPE`` for the types of its entities. Whether
    there is one of a type tells more than how many in how many pieces: most texts have none, and the test for
    numbers hardly sees what is left among so many equal ones.

    Args:
        tokenizer_json: the model's; without it there are neither ``length``, ``unknown_share`` nor
            ``embedding``.

    Raises:
        ValueError: it is no tokenizer.
    """

    def __init__(self, tokenizer_json: bytes | None) -> None:
        self._tokenizer, self._unknown = None, -1
        if tokenizer_json is not None:
            try:
                self._tokenizer = Tokenizer.from_buffer(tokenizer_json)
                unknown = json.loads(tokenizer_json)["model"].get("unk_token")
            except Exception as error:  # tokenizers raises nothing narrower
                raise ValueError(f"tokenizer.json cannot be used: {error}") from error
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
            found = None if unknown is None else self._tokenizer.token_to_id(unknown)
            self._unknown = -1 if found is None else found

    def row(self, text: str, entities: Sequence[Entity]) -> dict[str, Value]:
        """The features of one text."""
        row: dict[str, Value] = {f"has_{entity.type}": True for entity in entities}
        if entities:
            row["confidence"] = sum(entity.score for entity in entities) / len(entities)
        text = text[:MOST_CHARACTERS]
        language = guess_language(text)
        if language is not None:
            row["language"] = language
        if self._tokenizer is not None:
            ids = np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.uint64)
            row["length"] = float(len(ids))
            row["unknown_share"] = float(np.mean(ids == self._unknown)) if len(ids) else 0.0
            if len(ids):
                row["embedding"] = embed(ids)
        return row


def excerpt(text: str) -> bytes:
    """The beginning of a text, to be shown."""
    return text[:_EXCERPT].encode("utf-8", "replace")


def embed(ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.float32]:
    """A bag of pieces in 64 random directions, of length 1.

    Texts with many pieces in common are near each other, as random directions keep distances (Johnson and
    Lindenstrauss, 1984). Each piece's direction is the bits of its hash, so that it is the same everywhere.
    """
    hashes = _hash(ids).astype("<u8").view(np.uint8)  # the same order of bits on every machine
    bits = np.unpackbits(hashes.reshape(-1, DIMENSIONS // 8), axis=1)
    mean = bits.mean(axis=0) * 2 - 1
    length = float(np.linalg.norm(mean))
    direction: npt.NDArray[Any] = mean / length if length else mean
    return direction.astype(np.float32)


def _hash(ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea and Flood, 2014) of each id; arithmetic is modulo 2**64."""
    mixed = ids + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    hashed: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return hashed
