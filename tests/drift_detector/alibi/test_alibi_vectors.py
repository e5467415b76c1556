"""MMD and LSDD: alibi-detect's statistics, p-values that hold their level, effects from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from drift_detector.alibi.library import alibi_detect, seeded
from drift_detector.alibi.lsdd import LeastSquaresDensityDifference
from drift_detector.alibi.mmd import MaximumMeanDiscrepancy
from drift_detector.alibi.regularisation import inner_product
from modelserve.drift.detectors import Detector

Vectors = npt.NDArray[np.float32]
DETECTORS: list[Callable[[], Detector]] = [MaximumMeanDiscrepancy, LeastSquaresDensityDifference]
each = pytest.mark.parametrize("make", DETECTORS)


def normal(size: int, *, seed: int, shift: float = 0.0, dimensions: int = 8) -> Vectors:
    drawn = np.random.default_rng(seed).standard_normal((size, dimensions)) + shift
    return drawn.astype(np.float32)


def test_mmd_is_theirs() -> None:
    reference = normal(200, seed=1)
    for shift in (0.0, 0.1, 0.2, 1.0):
        window = normal(120, seed=2, shift=shift)
        ours = MaximumMeanDiscrepancy().compare(reference, window)
        with seeded():
            detector = alibi_detect("cd").MMDDrift(reference, backend="tensorflow", n_permutations=200)
            theirs = detector.predict(window)["data"]
        assert ours.statistic == pytest.approx(theirs["distance"], abs=1e-6)
        # Both are by chance: theirs of 200 permutations, ours of 1,999.
        assert abs(ours.p_value - theirs["p_val"]) <= 4 * math.sqrt(0.25 / 200)


def test_lsdd_is_theirs() -> None:
    reference = normal(400, seed=1)
    for shift in (0.0, 0.1, 0.2, 1.0):
        window = normal(200, seed=2, shift=shift)
        ours = LeastSquaresDensityDifference().compare(reference, window)
        with seeded():
            # The same centres, as both take the first numbers that are drawn.
            detector = alibi_detect("cd").LSDDDrift(reference, backend="tensorflow", n_permutations=200)
        with pytest.warns(DeprecationWarning, match="ndim > 0"):
            theirs = detector.predict(window)["data"]
        assert ours.statistic == pytest.approx(theirs["distance"], rel=1e-2)
        assert abs(ours.p_value - theirs["p_val"]) <= 4 * math.sqrt(0.25 / 200)


@each
def test_the_same_is_said_whenever_it_is_asked(make: Callable[[], Detector]) -> None:
    reference, window = normal(700, seed=3), normal(600, seed=4, shift=0.1)
    detector = make()
    first = detector.compare(reference, window)
    detector.compare(reference, normal(100, seed=5))
    np.random.random_sample(10)
    assert detector.compare(reference, window) == first
    assert make().compare(reference.copy(), window.copy()) == first


@each
def test_a_shift_is_found_and_its_effect_grows(make: Callable[[], Detector]) -> None:
    detector, reference = make(), normal(500, seed=6)
    said = [detector.compare(reference, normal(300, seed=7, shift=shift)) for shift in (0, 0.2, 0.5, 1, 10)]
    effects = [one.effect for one in said]
    assert effects == sorted(effects)
    assert effects[0] < 0.06
    assert effects[-1] == pytest.approx(1, abs=0.02)
    assert said[0].p_value > 0.01
    assert said[1].p_value < 0.01
    assert [one.p_value for one in said[2:]] == [1 / 2000] * 3


@each
def test_the_effect_does_not_hang_on_the_sizes(make: Callable[[], Detector]) -> None:
    detector, reference = make(), normal(500, seed=8)
    effects = [detector.compare(reference, normal(size, seed=9, shift=0.5)).effect for size in (60, 200, 500)]
    assert max(effects) - min(effects) < 0.05


@each
def test_a_change_of_spread_alone_is_found(make: Callable[[], Detector]) -> None:
    reference, window = normal(500, seed=10), normal(500, seed=11) * 1.5
    assert make().compare(reference, window).p_value < 0.01


@each
def test_false_alarms_are_as_rare_as_the_level_says(make: Callable[[], Detector]) -> None:
    """Of 40 windows of a reference each; a binomial passes the bounds in 1 of 10,000."""
    alarms = sum(
        make()
        .compare(normal(60, seed=2 * place, dimensions=4), normal(40, seed=2 * place + 1, dimensions=4))
        .p_value
        <= 0.1
        for place in range(40)
    )
    lowest, highest = binom.interval(0.9999, 40, 0.1)
    assert lowest <= alarms <= highest


@each
def test_a_sample_is_like_itself(make: Callable[[], Detector]) -> None:
    sample = normal(300, seed=12)
    said = make().compare(sample, sample)
    assert said.p_value > 0.9
    assert said.effect == 0


@each
@pytest.mark.parametrize("sizes", [(1, 1), (2, 1), (3, 2), (40, 1)])
def test_a_few_vectors_tell_little_and_raise_nothing(
    make: Callable[[], Detector], sizes: tuple[int, int]
) -> None:
    said = make().compare(normal(sizes[0], seed=13), normal(sizes[1], seed=14))
    assert np.isfinite([said.statistic, said.effect]).all()
    assert 0.01 < said.p_value <= 1


@each
def test_dimensions_that_never_change_and_values_out_of_all_bounds(make: Callable[[], Detector]) -> None:
    reference, window = normal(200, seed=15), normal(100, seed=16)
    reference[:, 3] = window[:, 3] = 0.1
    assert make().compare(reference, window).p_value > 0.05
    window[0], window[1] = np.inf, -1e30
    said = make().compare(reference, window)
    assert np.isfinite([said.statistic, said.effect]).all()
    assert said.p_value > 0.01, "two of a hundred"


def test_of_a_constant_lsdd_can_tell_nothing_and_mmd_can() -> None:
    ones, zeros = np.ones((100, 4), np.float32), np.zeros((50, 4), np.float32)
    for detector in (MaximumMeanDiscrepancy(), LeastSquaresDensityDifference()):
        assert detector.compare(ones, ones[:50]).p_value == 1
    assert LeastSquaresDensityDifference().compare(ones, zeros).p_value == 1
    said = MaximumMeanDiscrepancy().compare(ones, zeros)
    assert said.p_value == 1 / 2000
    assert said.effect == pytest.approx(1)


@each
def test_a_reference_of_two_vectors(make: Callable[[], Detector]) -> None:
    detector, reference = make(), np.repeat(normal(2, seed=17), 100, axis=0)
    assert detector.compare(reference, reference[::4]).p_value > 0.9
    assert detector.compare(reference, reference[:50]).p_value < 0.01


def test_centres_that_say_nothing_of_the_reference_make_no_densities() -> None:
    kernel = alibi_detect("utils.tensorflow.kernels").GaussianRBF(np.ones(1, np.float32))
    similarity = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    assert inner_product(similarity, kernel, np.zeros((4, 3), np.float32)) is None


def test_repetitions_do_not_make_a_kernel_of_no_width() -> None:
    """A probe sends one text again and again; the others are seen beside it."""
    probe = np.repeat(normal(1, seed=18), 300, axis=0)
    reference = np.concatenate([probe, normal(200, seed=19)])
    window = np.concatenate([probe[:120], normal(80, seed=20, shift=1.0)])
    found = MaximumMeanDiscrepancy().compare(reference, window)
    assert found.p_value < 0.01
    assert found.effect > 0.1
    same = np.concatenate([probe[:120], normal(80, seed=21)])
    assert MaximumMeanDiscrepancy().compare(reference, same).p_value > 0.05
