"""A bounded rate, on a clock that the test moves."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.shadow.rate import TokenBucket


@given(st.floats(0.1, 100), st.lists(st.floats(0, 2), min_size=1, max_size=200), st.floats(-1e6, 1e6))
def test_no_span_of_time_has_more_calls_than_the_rate_and_one_second_of_it(
    per_second: float, pauses: list[float], begin: float
) -> None:
    bucket = TokenBucket(per_second)
    times = [now for now in accumulate(pauses, initial=begin) if bucket.take(now=now)]
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            allowed = max(1.0, per_second) + (times[last] - start) * per_second
            assert last - first + 1 <= allowed + 1e-3


def test_a_call_above_the_rate_is_refused_and_the_next_one_is_not() -> None:
    bucket = TokenBucket(2)
    assert [bucket.take(now=at) for at in (0, 0, 0, 0.4, 0.5, 0.6)] == [True, True, False, False, True, False]


def test_calls_that_wait_are_spread_evenly() -> None:
    bucket = TokenBucket(2)
    assert [bucket.reserve(now=0) for _ in range(5)] == [0, 0, 0.5, 1.0, 1.5]
    assert bucket.reserve(now=10) == 0


def test_a_rate_below_one_begins_with_one() -> None:
    bucket = TokenBucket(0.1)
    assert bucket.reserve(now=0) == 0
    assert bucket.reserve(now=0) == pytest.approx(10)
