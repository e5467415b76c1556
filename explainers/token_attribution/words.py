"""Words of a text in any script, and how firmly neighbouring ones belong together."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

_JOINING = frozenset("'\u2019.-")
"""Between two letters or digits these are part of a word: O'Neill, U.S., Jean-Luc."""

_WRITTEN_WITHOUT_SPACES = (
    "CJK UNIFIED IDEOGRAPH",
    "CJK COMPATIBILITY IDEOGRAPH",
    "HIRAGANA",
    "KATAKANA",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
)
"""Scripts of which every character is taken for a word, as BERT's tokenizers do with ideographs."""

_ENDS_A_SENTENCE = frozenset(".!?\u2026\u3002\uff01\uff1f")


class Word(NamedTuple):
    """A span of the text, in code points: a word or a punctuation mark."""

    start: int
    end: int


def find_words(text: str) -> list[Word]:
    """Everything in the text but white space, in order: words, and each other character on its own."""
    words: list[Word] = []
    is_open = False
    for place, character in enumerate(text):
        is_mark = unicodedata.category(character).startswith("M")
        follows = bool(words) and words[-1].end == place
        if follows and (is_mark or (is_open and (_is_letter(character) or _joins(text, place)))):
            words[-1] = Word(words[-1].start, place + 1)
        elif not character.isspace():
            words.append(Word(place, place + 1))
            is_open = _is_letter(character)
        else:
            is_open = False
    return words


def _is_letter(character: str) -> bool:
    if not character.isalnum():
        return False
    return character.isascii() or not unicodedata.name(character, "").startswith(_WRITTEN_WITHOUT_SPACES)


def _joins(text: str, place: int) -> bool:
    return text[place] in _JOINING and place + 1 < len(text) and _is_letter(text[place + 1])


def boundary_strengths(text: str, words: Sequence[Word], names: Sequence[Word]) -> list[float]:
    """How strong the boundary is between each word and the next.

    Groups of words are better told apart between sentences than within one, and within a name last.

    Args:
        text: with these words.
        words: in order.
        names: spans that should stay together.
    """
    return [_strength(text, left, right, names) for left, right in pairwise(words)]


def _strength(text: str, left: Word, right: Word, names: Sequence[Word]) -> float:
    if any(name.start < left.end and right.start < name.end for name in names):
        return -1.0
    if "\n" in text[left.end : right.start]:
        return 2.0
    last = text[left.end - 1]
    if last in _ENDS_A_SENTENCE:
        return 2.0
    return 0.0 if last.isalnum() else 1.0
