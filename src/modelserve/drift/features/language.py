"""A guess at a text's language."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

LANGUAGES = (
    "ar", "bn", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it", "ja",
    "ko", "nl", "no", "pl", "pt", "ro", "ru", "sv", "sw", "ta", "th", "tr", "uk", "ur", "vi", "zh",
)  # fmt: skip
"""Large ones: among a hundred, a sentence full of names is taken for one that has a few letters of it."""

LEAST_LETTERS = 20
"""Below which a guess says next to nothing. Chinese, which says much in few letters, is not left out."""

_LAST_LATIN = "\u024f"
"""Of the Latin blocks of Unicode that European languages are written in, which come first."""


def guess_language(text: str) -> str | None:
    """The code of the language (ISO 639-1); None where there is too little of it to tell."""
    letters = [character for character in text if character.isalpha()]
    if len(letters) < LEAST_LETTERS and max(letters, default="") <= _LAST_LATIN:
        return None
    language: str = _classifier()(text)[0]
    return language


@lru_cache(maxsize=1)
def _classifier() -> Callable[[str], Any]:
    """py3langid's, which takes a second to load. It has one model for the process."""
    import py3langid  # noqa: PLC0415

    py3langid.set_languages(list(LANGUAGES))
    classify: Callable[[str], Any] = py3langid.classify
    return classify
