"""Estimates for one look: how often their bounds hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelserve.shadow.estimating import LEAST_OBSERVATIONS, Mean, Ratio, student_quantile, wilson

RUNS = 400
# 400 runs at 95% cover in 91.7% of them or more, but for one time in a thousand.
LEAST_COVERED = 0.917 * RUNS


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(4, 2.7764), (5, 2.5706), (10, 2.2281), (30, 2.0423), (1000, 1.9623)]
)
def test_students_quantiles(freedom: int, quantile: float) -> None:
    """Against tables of Student's t."""
    assert student_quantile(0.975, freedom) == pytest.approx(quantile, abs=0.002)
    assert student_quantile(0.025, freedom) == pytest.approx(-quantile, abs=0.002)


def test_wilsons_bounds() -> None:
    """Against those that Newcombe (1998) gives for 81 of 263 and 0 of 20."""
    assert wilson(81 / 263, 263, 0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0.0, 20, 0.95) == pytest.approx((0.0, 0.1611), abs=5e-5)


@pytest.mark.parametrize("calls", [50, 300])
@pytest.mark.parametrize("errors", [0.01, 0.1])
@pytest.mark.parametrize("clustered", [False, True])
def test_the_bounds_of_f1_hold(calls: int, errors: float, clustered: bool) -> None:
    """Calls have three entities on average; the errors may be in one call of five only."""
    chance = np.random.default_rng(1)

    def draw(count: int) -> tuple[list[int], list[int]]:
        entities = chance.poisson(3, count)
        rate = errors * chance.binomial(1, 0.2, count) / 0.2 if clustered else np.full(count, errors)
        missed, invented = chance.binomial(entities, rate), chance.binomial(entities, rate)
        both = entities - missed
        return (2 * both).tolist(), (2 * both + missed + invented).tolist()

    parts, wholes = draw(500_000)
    truth, covered = sum(parts) / sum(wholes), 0
    for _ in range(RUNS):
        ratio = Ratio()
        for part, whole in zip(*draw(calls), strict=True):
            ratio.add(part, whole)
        bounds = ratio.bounds(0.95)
        assert bounds is not None
        covered += bounds.lower <= truth <= bounds.upper
    assert covered >= LEAST_COVERED


def test_an_f1_of_one_is_not_certain() -> None:
    ratio = Ratio()
    for _ in range(20):
        ratio.add(6, 6)
    bounds = ratio.bounds(0.95)
    assert bounds is not None
    assert (bounds.estimate, bounds.upper) == (1.0, 1.0)
    assert bounds.lower == pytest.approx(1 - 0.1611, abs=5e-5)


def test_calls_without_entities_say_nothing_of_f1() -> None:
    ratio = Ratio()
    for _ in range(100):
        ratio.add(0, 0)
    assert ratio.bounds(0.95) is None


@pytest.mark.parametrize("calls", [10, 100])
def test_the_bounds_of_a_mean_hold(calls: int) -> None:
    chance = np.random.default_rng(2)
    covered = 0
    for _ in range(RUNS):
        mean = Mean()
        for value in chance.normal(0.02, 0.005, calls).tolist():
            mean.add(value)
        bounds = mean.bounds(0.95)
        assert bounds is not None
        covered += bounds.lower <= 0.02 <= bounds.upper
    assert covered >= LEAST_COVERED


def test_small_differences_of_large_numbers_are_kept() -> None:
    mean = Mean()
    for value in (1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4):
        mean.add(value)
    bounds = mean.bounds(0.95)
    assert bounds is not None
    assert bounds.upper - bounds.estimate == pytest.approx(2.7764 * math.sqrt(2.5 / 5), rel=1e-3)


def test_too_few_calls_have_no_bounds() -> None:
    mean, ratio = Mean(), Ratio()
    for _ in range(LEAST_OBSERVATIONS - 1):
        mean.add(1.0)
        ratio.add(1, 2)
    assert mean.bounds(0.95) is None
    assert ratio.bounds(0.95) is None
    mean.add(1.0)
    ratio.add(1, 2)
    assert mean.bounds(0.95) is not None
    assert ratio.bounds(0.95) is not None
