"""A stream of vectors: its run time, its thresholds, and a state that comes back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gamma

from drift_detector.alibi.library import alibi_detect, seeded
from drift_detector.alibi.mmd import MaximumMeanDiscrepancy
from drift_detector.alibi.online_mmd import MEMORY, OnlineMaximumMeanDiscrepancy
from drift_detector.alibi.thresholds import mmd_thresholds
from modelserve.drift.detectors import Comparison
from modelserve.drift.table import Column

RUN_TIME = 50


def normal(size: int, *, seed: int, shift: float = 0.0) -> Column:
    return (np.random.default_rng(seed).standard_normal((size, 4)) + shift).astype(np.float32)


REFERENCE = normal(400, seed=1)


@pytest.fixture(scope="module")
def made() -> OnlineMaximumMeanDiscrepancy:
    return OnlineMaximumMeanDiscrepancy(REFERENCE, RUN_TIME)


@pytest.fixture
def detector(made: OnlineMaximumMeanDiscrepancy) -> OnlineMaximumMeanDiscrepancy:
    made.reset()
    return made


def first_alarm(detector: OnlineMaximumMeanDiscrepancy, stream: Column) -> tuple[int, Comparison]:
    """After how many samples, and what was found."""
    for number, sample in enumerate(stream, 1):
        found = detector.update(sample)
        if found is not None:
            return number, found
    raise AssertionError("there was no alarm")


def test_the_first_alarm_without_drift_comes_after_the_run_time(
    detector: OnlineMaximumMeanDiscrepancy,
) -> None:
    """Run times are memoryless, so that their mean is of a gamma distribution.

    The run time that the thresholds stand for is itself met to a fifth, and is of streams like these few
    hundred samples of the reference; what the two may be off by is a third.
    """
    runs, stream, samples = 12, normal(20_000, seed=2), []
    for _ in range(runs):
        detector.reset()
        samples.append(first_alarm(detector, stream)[0])
        stream = stream[samples[-1] :]
    lowest, highest = gamma.interval(0.999, runs, scale=RUN_TIME / runs)
    assert lowest * 2 / 3 <= sum(samples) / runs <= highest * 4 / 3


def test_drift_is_found_soon_and_by_how_much(detector: OnlineMaximumMeanDiscrepancy) -> None:
    changed = normal(200, seed=3, shift=2.0)
    number, found = first_alarm(detector, changed)
    assert number <= MEMORY
    assert found.p_value == 1 / RUN_TIME
    for sample in changed:
        found = detector.update(sample) or found
    whole = MaximumMeanDiscrepancy().compare(REFERENCE, changed)
    assert found.effect == pytest.approx(whole.effect, abs=0.1)
    assert found.statistic == pytest.approx(whole.statistic, abs=0.1)


def test_the_same_stream_raises_the_same_alarms(detector: OnlineMaximumMeanDiscrepancy) -> None:
    """Whatever else was drawn, and whatever it saw before."""
    stream = normal(60, seed=4, shift=0.6)
    first = [detector.update(sample) for sample in stream]
    assert any(first)
    np.random.random_sample(7)
    detector.reset()
    assert [detector.update(sample) for sample in stream] == first
    other = OnlineMaximumMeanDiscrepancy(REFERENCE, RUN_TIME)
    assert [other.update(sample) for sample in stream] == first


def test_thresholds_from_arrays_are_those_of_alibi_detect() -> None:
    """Theirs are of 200 streams, one after the other, and so off by some per cent themselves."""
    with seeded():
        theirs = alibi_detect("cd.tensorflow.mmd_online").MMDDriftOnlineTF(
            REFERENCE, 10, 3, n_bootstraps=200, verbose=False
        )
    kernel = theirs.k_xx.numpy().astype(np.float64)
    ours = mmd_thresholds(kernel, 3, run_time=10, streams=20_000)
    assert ours == pytest.approx([float(one) for one in theirs.thresholds], rel=0.2)


def test_values_out_of_all_bounds_are_far(detector: OnlineMaximumMeanDiscrepancy) -> None:
    odd = np.repeat(np.array([np.inf, -np.inf, 1e30], np.float32), 4).reshape(3, 4)
    _, found = first_alarm(detector, np.tile(odd, (MEMORY, 1)))
    assert 0 < found.effect <= 1


def test_references_that_set_no_thresholds_are_refused() -> None:
    with pytest.raises(ValueError, match="a stream needs a reference of 80 vectors; there are 79"):
        OnlineMaximumMeanDiscrepancy(REFERENCE[:79], RUN_TIME)
    with pytest.raises(ValueError, match="in which not all vectors are the same"):
        OnlineMaximumMeanDiscrepancy(np.ones((400, 4), np.float32), RUN_TIME)
