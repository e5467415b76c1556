from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from bert_ner.windows import Window, merge_windows, plan_windows

WORDS = st.lists(st.integers(1, 6), max_size=120)
"""Pieces of each word."""


def word_ids(sizes: list[int]) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(len(sizes)), sizes)


def context(window: Window, piece: int, count: int) -> int:
    """Pieces that the window shows on the poorer side of a piece; a text's end hides nothing."""
    left = piece - window.start if window.start else count
    right = window.stop - 1 - piece if window.stop < count else count
    return min(left, right)


@given(WORDS, st.integers(1, 40))
def test_each_piece_is_kept_once_and_where_it_has_most_context(sizes: list[int], capacity: int) -> None:
    ids = word_ids(sizes)
    windows = plan_windows(ids, capacity)
    kept = [p for window in windows for p in range(window.kept_start, window.kept_stop)]
    assert kept == list(range(len(ids)))
    for window in windows:
        assert 0 <= window.start < window.stop <= len(ids)
        assert window.stop - window.start <= capacity
        for piece in range(window.kept_start, window.kept_stop):
            best = max(
                context(other, piece, len(ids)) for other in windows if other.start <= piece < other.stop
            )
            assert context(window, piece, len(ids)) == best


@given(WORDS, st.integers(1, 40), st.data())
def test_a_model_that_looks_at_one_piece_merges_to_itself(
    sizes: list[int], capacity: int, data: st.DataObject
) -> None:
    ids = word_ids(sizes)
    answer = np.random.default_rng(data.draw(st.integers(0, 9))).random((len(ids), 3))
    windows = plan_windows(ids, capacity)
    if windows:
        merged = merge_windows(windows, [answer[window.start : window.stop] for window in windows])
        np.testing.assert_array_equal(merged, answer)
    else:
        assert len(ids) == 0


@given(WORDS, st.integers(48, 80))
def test_windows_begin_and_end_between_words_where_words_are_short(sizes: list[int], capacity: int) -> None:
    ids = word_ids(sizes)
    edges = {0, *np.cumsum(sizes).tolist()}
    for window in plan_windows(ids, capacity):
        assert {window.start, window.stop} <= edges


@given(WORDS, st.integers(4, 80))
def test_windows_are_as_few_as_their_overlap_allows(sizes: list[int], capacity: int) -> None:
    ids = word_ids(sizes)
    windows = plan_windows(ids, capacity)
    assert len(windows) <= 1 + len(ids) / (capacity * 3 / 8)
    for window, following in pairwise(windows):
        assert following.start <= window.stop - capacity // 4


def test_a_text_that_fits_is_one_window() -> None:
    assert plan_windows(word_ids([2, 1, 3]), 6) == [Window(0, 6, 0, 6)]
    assert plan_windows(word_ids([]), 6) == []


def test_windows_overlap_by_a_quarter() -> None:
    windows = plan_windows(word_ids([1] * 20), 8)
    assert [(w.start, w.stop) for w in windows] == [(0, 8), (6, 14), (12, 20)]
    assert [(w.kept_start, w.kept_stop) for w in windows] == [(0, 7), (7, 13), (13, 20)]


def test_a_word_longer_than_a_window_is_split() -> None:
    windows = plan_windows(word_ids([1, 30]), 8)
    assert all(window.stop - window.start <= 8 for window in windows)
    assert windows[-1].stop == 31
