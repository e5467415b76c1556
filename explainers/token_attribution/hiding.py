"""A text with some of its words hidden, and where the names of it have gone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from token_attribution.words import Word

Shown = npt.NDArray[np.bool_]
"""Which words of the text are shown, [words]."""


class HidingText:
    """Variations of a text.

    Args:
        text: whole.
        words: of it, in order; at least one.
        names: spans of the text, each of which overlaps a word.
        hidden_word: stands in the place of each word that is hidden; what is between words stays.
    """

    def __init__(self, text: str, words: Sequence[Word], names: Sequence[Word], *, hidden_word: str) -> None:
        self._hidden_word = hidden_word
        self._words = [text[word.start : word.end] for word in words]
        ends = [0, *(word.end for word in words)]
        starts = [*(word.start for word in words), len(text)]
        self._between = [text[end:start] for end, start in zip(ends, starts, strict=True)]
        self._spans = np.array(words, np.int64)
        self._names = np.array(names, np.int64).reshape(-1, 2)
        self._firsts = np.searchsorted(self._spans[:, 1], self._names[:, 0], side="right")
        self._lasts = np.searchsorted(self._spans[:, 0], self._names[:, 1], side="left") - 1

    def vary(self, shown: Shown) -> str:
        """The text of the words that are shown."""
        parts = [self._between[0]]
        for word, is_shown, after in zip(self._words, shown.tolist(), self._between[1:], strict=True):
            parts += word if is_shown else self._hidden_word, after
        return "".join(parts)

    def places(self, shown: Shown) -> npt.NDArray[np.int64]:
        """Where the names are in that variation: start and end of each, [names, 2].

        A hidden word that a name overlaps is in it as a whole.
        """
        starts, ends = self._spans.T
        growth = np.where(shown, 0, len(self._hidden_word) - (ends - starts))
        after = np.cumsum(growth)
        first, last = self._firsts, self._lasts
        start = np.where(shown[first], np.maximum(starts[first], self._names[:, 0]), starts[first])
        end = np.where(shown[last], np.minimum(ends[last], self._names[:, 1]), ends[last])
        return np.stack([start + (after - growth)[first], end + after[last]], axis=1)
