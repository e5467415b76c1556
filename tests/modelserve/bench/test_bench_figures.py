"""The arithmetic: percentiles, rates, and when the calls of an open loop are due."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.bench.pacing import due_times
from modelserve.bench.recording import Recording, percentile


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.001, 1))
def test_a_percentile_is_the_least_value_that_enough_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    needed = share * len(values) - 1e-6
    assert found in values
    assert sum(value <= found for value in values) >= needed
    assert sum(value < found for value in values) < needed + 1


def test_percentiles_of_a_hundred() -> None:
    ordered = [float(value) for value in range(1, 101)]
    assert [percentile(ordered, share) for share in (0.5, 0.9, 0.99, 1.0)] == [50, 90, 99, 100]
    assert percentile([7.0], 0.01) == 7


def test_even_spacing() -> None:
    assert list(due_times(4, 1.0, spacing="even")) == [0, 0.25, 0.5, 0.75]


def test_poisson_spacing_has_the_rate_and_the_spread_of_independent_callers() -> None:
    times = list(due_times(1000, 20.0, spacing="poisson"))
    assert times == sorted(times)
    assert times[-1] < 20
    assert len(times) == pytest.approx(20_000, abs=5 * math.sqrt(20_000))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert deviation == pytest.approx(mean, rel=0.05)  # of an even spacing it would be 0
    assert times == list(due_times(1000, 20.0, spacing="poisson"))


def test_a_report_counts_what_ended_and_waits_from_when_a_call_was_due() -> None:
    recording = Recording()
    recording.add(0.5, 1.5, "200")  # due in the warm-up, answered in the window
    recording.add(1.0, 1.1, "200")
    recording.add(1.5, 1.9, "200")
    recording.add(2.0, 2.01, "429")
    recording.add(2.5, 3.5, "200")  # due in the window, answered after it
    recording.add(2.6, 2.6, "lost")
    recording.add(2.7, 12.7, "timeout")
    recording.add(3.5, 3.6, "500")  # after the window
    report = recording.report(1.0, 3.0, cpu_seconds=0.5)
    assert report.calls == 6
    assert report.outcomes == {"200": 3, "429": 1, "lost": 1, "timeout": 1}
    # Three good answers and a refusal ended in it; of the silence at its end, all but 0.4 s counts.
    assert report.throughput == pytest.approx(4 / 1.6)
    assert report.goodput == pytest.approx(3 / 1.6)
    assert report.latency is not None
    assert report.latency.p50_ms == pytest.approx(400)
    assert report.latency.max_ms == pytest.approx(10_000)  # given up, and not dropped
    assert report.generator_cpu == 0.25
    assert not report.is_clean


def test_a_report_of_refusals_has_no_latency() -> None:
    recording = Recording()
    recording.add(1.0, 1.001, "503")
    report = recording.report(0.0, 2.0, cpu_seconds=0.0)
    assert report.latency is None
    assert report.throughput > 0
    assert report.goodput == 0


def test_a_rate_does_not_depend_on_where_a_window_cuts_batches() -> None:
    recording = Recording()
    for second in range(1, 11):
        for _ in range(32):
            recording.add(second - 1, second, "200")
    for start in (1.1, 1.5, 1.9):
        for stop in (9.1, 9.5, 9.9):
            assert recording.rate(start, stop, good_only=True) == pytest.approx(32)


def test_a_server_that_stands_still_looks_no_better() -> None:
    recording = Recording()
    for second in range(1, 6):
        recording.add(second - 1, second, "200")
    assert recording.rate(1.5, 9.5, good_only=True) == pytest.approx(4 / 7.5)
    assert recording.rate(6.0, 9.5, good_only=True) == 0
