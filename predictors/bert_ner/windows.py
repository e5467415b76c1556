"""Overlapping windows over the pieces of a text that is longer than the model can read.

Pure: pieces are positions, and what the model says of them is an array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Window:
    """A range of pieces that the model reads together, without its special pieces.

    The model reads ``start`` to ``stop``; of that, ``kept_start`` to ``kept_stop`` is taken,
    because no other window shows those pieces more of what stands around them.
    """

    start: int
    stop: int
    kept_start: int
    kept_stop: int


def plan_windows(word_ids: npt.NDArray[np.int64], capacity: int) -> list[Window]:
    """Cover a text's pieces with windows that overlap by about a quarter.

    A window begins and ends between words, unless a word is so long that this would cost a window
    more than a quarter of its length at its end, or an eighth at its start.

    Args:
        word_ids: int64 [pieces], the word of each piece, ascending.
        capacity: most pieces in one window, at least 1.

    Returns:
        Windows in order; their kept ranges follow each other and cover every piece once. No
        window for a text without pieces.
    """
    count = len(word_ids)
    begins = np.flatnonzero(np.diff(word_ids, prepend=-1, append=-1))
    overlap = capacity // 4
    ranges: list[tuple[int, int]] = []
    start = stop = 0
    while stop < count:
        stop = start + capacity
        if stop < count:
            stop = _word_start(begins, stop, most=capacity // 4)
        stop = min(stop, count)
        ranges.append((start, stop))
        start = _word_start(begins, stop - overlap, most=capacity // 8)
    # Two neighbours show a piece equally much in the middle of what they share.
    cuts = [(following[0] + window[1]) // 2 for window, following in pairwise(ranges)]
    return [
        Window(start, stop, kept_start, kept_stop)
        for (start, stop), kept_start, kept_stop in zip(ranges, [0, *cuts], [*cuts, count], strict=False)
    ]


def _word_start(begins: npt.NDArray[np.int64], position: int, *, most: int) -> int:
    """The last word start at or before a position, or the position if that is too far back."""
    found = int(begins[np.searchsorted(begins, position, side="right") - 1])
    return found if position - found <= most else position


def merge_windows(windows: Sequence[Window], parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Put together what the model says of each window's pieces.

    Args:
        windows: as planned, at least one.
        parts: for each window an array [stop - start, ...].

    Returns:
        One array [pieces, ...].
    """
    return np.concatenate(
        [
            part[window.kept_start - window.start : window.kept_stop - window.start]
            for window, part in zip(windows, parts, strict=True)
        ]
    )
