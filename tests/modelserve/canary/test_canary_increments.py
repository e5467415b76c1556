"""Counters of pods to increments: resets, pods that come and go, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.canary.judge.increments import UnusableMeasurements, increments
from modelserve.canary.judge.measurements import Counters, Histogram, Look
from modelserve.canary.judge.policy import WarmUp

NONE = WarmUp(0.0, 0)


def looks_at(*requests: Mapping[str, float], every_seconds: float = 10.0) -> list[Look]:
    """Looks whose canary has these requests by pod, and of ten one is an error."""
    return [
        Look(
            every_seconds * index,
            {pod: Counters(count, count // 10) for pod, count in pods.items()},
            {"stable": Counters(1000 * index, 0)},
        )
        for index, pods in enumerate(requests)
    ]


def canary_requests(looks: list[Look], warm_up: WarmUp = NONE) -> list[int]:
    return [int(count) for count in increments(looks, warm_up).requests[0]]


def test_increments_are_sums_over_pods_from_their_first_reading_on() -> None:
    looks = looks_at({"a": 50}, {"a": 60, "b": 7}, {"a": 60, "b": 27})
    found = increments(looks, NONE)
    assert found.requests[0].tolist() == [10, 20]
    assert found.errors[0].tolist() == [1, 2]
    assert found.requests[1].tolist() == [1000, 1000]


def test_a_counter_that_fell_counts_from_zero() -> None:
    assert canary_requests(looks_at({"a": 50}, {"a": 60}, {"a": 5}, {"a": 9})) == [10, 5, 4]


def test_a_pod_that_is_missing_is_taken_up_where_it_was() -> None:
    assert canary_requests(looks_at({"a": 50}, {}, {"a": 80})) == [0, 30]


def test_a_pod_is_left_out_until_it_is_warm() -> None:
    looks = looks_at({"a": 0}, *({"a": 10 * index} for index in range(1, 8)))
    assert canary_requests(looks, WarmUp(20.0, 0)) == [0, 0, 10, 10, 10, 10, 10]
    assert canary_requests(looks, WarmUp(0.0, 35)) == [0, 0, 0, 0, 10, 10, 10]
    assert canary_requests(looks, WarmUp(60.0, 35)) == [0, 0, 0, 0, 0, 0, 10]


def test_a_pod_that_started_anew_is_cold_again() -> None:
    looks = looks_at({"a": 0}, {"a": 10}, {"a": 20}, {"a": 30}, {"a": 4}, {"a": 8}, {"a": 12}, {"a": 16})
    assert canary_requests(looks, WarmUp(20.0, 0)) == [0, 0, 10, 0, 0, 0, 4]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_increments_add_up_to_the_counter_where_nothing_resets(steps: list[int]) -> None:
    totals = np.cumsum([7, *steps]).tolist()
    assert canary_requests(looks_at(*({"a": total} for total in totals))) == steps


def histograms(canary: Histogram, stable: Histogram) -> list[Look]:
    return [
        Look(at_seconds, {"a": Counters(0, 0, canary)}, {"b": Counters(0, 0, stable)})
        for at_seconds in (0.0, 1.0)
    ]


BROKEN = {
    "order of time": [replace(look, at_seconds=5.0) for look in looks_at({"a": 1}, {"a": 2})],
    "whole numbers": looks_at({"a": 1}, {"a": 2.5}),
    "from 0 on": looks_at({"a": -1}, {"a": 2}),
    "different buckets": histograms(Histogram((1.0,), (0, 0)), Histogram((2.0,), (0, 0))),
    "one more than edges": histograms(Histogram((1.0,), (0,)), Histogram((1.0,), (0, 0))),
    "of one reading": [
        Look(0.0, {"a": Counters(10, 5)}, {}),
        Look(1.0, {"a": Counters(20, 4)}, {}),
    ],
    "more errors than requests": [
        Look(0.0, {"a": Counters(10, 0)}, {}),
        Look(1.0, {"a": Counters(12, 4)}, {}),
    ],
}


@pytest.mark.parametrize("words", BROKEN)
def test_what_contradicts_itself_is_refused_in_a_sentence(words: str) -> None:
    with pytest.raises(UnusableMeasurements, match=words):
        increments(BROKEN[words], NONE)
