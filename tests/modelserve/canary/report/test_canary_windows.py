"""Windows hold what was counted, and estimates are what others make of the same counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from modelserve.canary.judge.increments import UnusableMeasurements
from modelserve.canary.judge.measurements import Look
from modelserve.canary.judge.policy import Policy, WarmUp
from modelserve.canary.report.estimates import quantiles, shares
from modelserve.canary.report.windows import Windows, windows
from modelserve.canary.running.course import Phase
from modelserve.canary.running.driver import Progress


def found(progress: list[Progress], policy: Policy) -> Windows:
    measured = windows(progress, policy)
    assert measured is not None
    return measured


@given(calls=st.integers(1, 10_000), part=st.floats(0, 1))
def test_shares_are_wilsons(calls: int, part: float) -> None:
    events = round(part * calls)
    ours = shares(np.array([events]), np.array([calls]))
    theirs = binomtest(events, calls).proportion_ci(method="wilson")
    assert (ours.lower[0], ours.upper[0]) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_nothing_is_known_of_no_calls() -> None:
    ours = shares(np.array([0, 1]), np.array([0, 2]))
    assert np.isnan([ours.value[0], ours.lower[0], ours.upper[0]]).all()
    nothing = quantiles(np.zeros((1, 3), np.int64), (0.1, 1.0), 0.5)
    assert np.isnan([nothing.value[0], nothing.lower[0], nothing.upper[0]]).all()


def test_a_quantile_is_within_its_bounds_most_of_the_time() -> None:
    chance = np.random.default_rng(1)
    edges = tuple(np.linspace(0.01, 1, 100))
    seconds = chance.uniform(0, 1, (2000, 300))
    buckets = np.stack([np.histogram(one, [0, *edges, np.inf])[0] for one in seconds])
    ours = quantiles(buckets, edges, 0.9)
    covered = np.mean((ours.lower <= 0.9) & (ours.upper >= 0.9))
    assert 0.93 <= covered <= 0.97, "of 95%, in 2,000 windows: a standard deviation is 0.5%"


@pytest.mark.parametrize("looks", [2, 3, 40, 333])
def test_every_call_is_in_a_window(
    looks: int, make_progress: Callable[..., list[Progress]], watch: Callable[..., list[Look]], policy: Policy
) -> None:
    seen = watch(looks=looks)
    # What the judge would say takes long, and is no part of it.
    quick = replace(policy, errors=None, latency=(), labels=None, confidence=None)
    measured = found(make_progress(seen, end=Phase.PROMOTED, policy=quick), policy)
    last = seen[-1]
    assert measured.calls[0].sum() == last.canary["c"].requests
    assert measured.calls[1].sum() == last.stable["s"].requests
    assert measured.errors[0].sum() == last.canary["c"].errors
    assert measured.canary_labels.sum(axis=0).tolist() == list(last.canary["c"].labels.values())
    assert measured.seconds is not None
    assert last.stable["s"].seconds is not None
    assert measured.seconds.stable.sum(axis=0).tolist() == last.stable["s"].seconds.counts
    assert len(measured.starts) <= 50
    assert (measured.starts[1:] == measured.ends[:-1]).all(), "no gap"


def test_a_window_is_of_one_step_and_none_is_of_a_gap(
    make_progress: Callable[..., list[Progress]], watch: Callable[..., list[Look]], policy: Policy
) -> None:
    seen = watch(looks=60)
    measured = found(make_progress(seen, lost=range(10, 20)), policy)
    began = 1.8e9 + 1
    (gap,) = np.flatnonzero(measured.starts[1:] != measured.ends[:-1])
    assert (measured.ends[gap] - began, measured.starts[gap + 1] - began) == (90, 200)
    second_step = began + 300
    assert second_step in measured.starts
    assert not ((measured.starts < second_step) & (measured.ends > second_step)).any()
    missed = seen[20].canary["c"].requests - seen[9].canary["c"].requests
    assert measured.calls[0].sum() == seen[-1].canary["c"].requests - missed


def test_traffic_is_of_cold_pods_too(
    make_progress: Callable[..., list[Progress]], watch: Callable[..., list[Look]], policy: Policy
) -> None:
    seen = watch(looks=20)
    measured = found(make_progress(seen), replace(policy, warm_up=WarmUp(60, 20)))
    assert measured.traffic[0].sum() == seen[-1].canary["c"].requests
    assert measured.calls[0].sum() < measured.traffic[0].sum()


@pytest.mark.parametrize("looks", [0, 1])
def test_it_takes_two_looks(
    looks: int, make_progress: Callable[..., list[Progress]], watch: Callable[..., list[Look]], policy: Policy
) -> None:
    assert windows(make_progress(watch(looks=2)[:looks]), policy) is None


def test_what_contradicts_itself_is_told(
    make_progress: Callable[..., list[Progress]], watch: Callable[..., list[Look]], policy: Policy
) -> None:
    first, second = watch(looks=2)
    progress: Any = make_progress([first, replace(second, at_seconds=first.at_seconds)])
    with pytest.raises(UnusableMeasurements):
        windows(progress, policy)
