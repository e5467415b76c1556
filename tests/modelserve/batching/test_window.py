from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.batching.window import Window

MOST = 0.002


def after(*arrivals: float) -> Window:
    window = Window(MOST)
    for arrival in arrivals:
        window.arrived(arrival)
    return window


def test_a_call_that_is_alone_never_waits() -> None:
    busy = after(*(i * 0.0001 for i in range(100)))
    assert busy.remaining(0.0099, oldest_seconds=0.0099, preparing=0) == 0


def test_no_wait_before_a_rate_is_known() -> None:
    assert after(1.0).remaining(1.0, oldest_seconds=1.0, preparing=5) == 0


def test_a_rate_that_brings_nobody_in_time_is_not_waited_for() -> None:
    assert after(1.0, 1.1, 1.2).remaining(1.2, oldest_seconds=1.2, preparing=1) == 0


def test_under_load_the_wait_follows_the_gap_between_arrivals() -> None:
    slow = after(*(i * 0.0008 for i in range(50)))
    fast = after(*(i * 0.0001 for i in range(50)))
    assert slow.remaining(0.0392, oldest_seconds=0.0392, preparing=3) == pytest.approx(0.0016)
    assert fast.remaining(0.0049, oldest_seconds=0.0049, preparing=3) == pytest.approx(0.0002)


@given(
    st.lists(st.floats(0, 0.01), min_size=2, max_size=50),
    st.integers(0, 10),
    st.floats(0, 0.01),
)
def test_no_unit_waits_longer_than_the_bound(gaps: list[float], preparing: int, age: float) -> None:
    now, window = 100.0, Window(MOST)
    for gap in gaps:
        now += gap
        window.arrived(now)
    remaining = window.remaining(now + age, oldest_seconds=now, preparing=preparing)
    assert remaining + age <= MOST + 1e-9 or remaining <= 0
