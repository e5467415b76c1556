"""Totals that are told now and then: each event is counted once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from modelserve.events.sink import Totals


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans())))
def test_what_is_counted_is_what_was_told_last(steps: list[tuple[str, int, bool]]) -> None:
    counted: Counter[str] = Counter()

    def count(outcome: str, number: int) -> None:
        assert number > 0
        counted[outcome] += number

    totals, ended, told = Totals(count), Counter[str](), Counter[str]()
    for outcome, number, is_told in steps:
        ended[outcome] += number
        if is_told:
            totals.tell(ended)
            told = ended.copy()
        assert counted == +told
