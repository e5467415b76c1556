"""The tests that call scipy here say what alibi-detect's say."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.stats import ks_2samp

from drift_detector.alibi.library import alibi_detect
from modelserve.drift.detectors.chi_squared import ChiSquared
from modelserve.drift.detectors.cramer_von_mises import CramerVonMises
from modelserve.drift.detectors.fisher import Fisher
from modelserve.drift.detectors.kolmogorov_smirnov import KolmogorovSmirnov

SHIFTS = [0.0, 0.1, 0.2, 0.4]
# alibi-detect gives its answers as float32.
near = partial(pytest.approx, abs=1e-6, rel=1e-6)


@pytest.mark.parametrize("shift", SHIFTS)
def test_kolmogorov_smirnov(shift: float) -> None:
    """Theirs is asymptotic; ours is exact where that tells, which is little at this size."""
    rng = np.random.default_rng(1)
    reference, window = rng.standard_normal(400), rng.standard_normal(150) + shift
    theirs = alibi_detect("cd").KSDrift(reference).predict(window)["data"]
    ours = KolmogorovSmirnov().compare(reference, window)
    assert float(theirs["p_val"][0]) == near(ks_2samp(reference, window, method="asymp").pvalue)
    assert ours.p_value == pytest.approx(float(theirs["p_val"][0]), rel=0.1)
    assert ours.statistic == near(float(theirs["distance"][0]))


@pytest.mark.parametrize("shift", SHIFTS)
def test_cramer_von_mises(shift: float) -> None:
    rng = np.random.default_rng(2)
    reference, window = rng.standard_normal(400), rng.standard_normal(150) + shift
    theirs = alibi_detect("cd").CVMDrift(reference).predict(window)["data"]
    ours = CramerVonMises().compare(reference, window)
    assert ours.p_value == near(float(theirs["p_val"][0]))
    assert ours.statistic == near(float(theirs["distance"][0]))


def test_cramer_von_mises_of_ties_where_they_differ() -> None:
    """Theirs finds drift in a number that never changes."""
    reference, window = np.zeros(200), np.zeros(100)
    theirs = alibi_detect("cd").CVMDrift(reference).predict(window)["data"]
    assert float(theirs["p_val"][0]) < 1e-6
    assert CramerVonMises().compare(reference, window).p_value > 0.99


@pytest.mark.parametrize("share", [0.3, 0.35, 0.5])
@pytest.mark.parametrize("categories", [3, 4])
def test_chi_squared(share: float, categories: int) -> None:
    """Of two categories theirs is by Yates's correction, and ours is not."""
    rng = np.random.default_rng(3)
    names, rest = np.array(["de", "en", "fr", "sw"])[:categories], categories - 1
    reference = rng.choice(names, 600, p=[0.3] + [0.7 / rest] * rest)
    window = rng.choice(names, 200, p=[share] + [(1 - share) / rest] * rest)
    theirs = alibi_detect("cd").ChiSquareDrift(reference).predict(window)["data"]
    ours = ChiSquared().compare(reference, window)
    assert ours.p_value == near(float(theirs["p_val"][0]))
    assert ours.statistic == near(float(theirs["distance"][0]))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.15, 0.3])
def test_fisher(share: float) -> None:
    rng = np.random.default_rng(4)
    reference, window = rng.random(500) < 0.1, rng.random(200) < share
    theirs = alibi_detect("cd").FETDrift(reference, alternative="two-sided").predict(window)["data"]
    assert Fisher().compare(reference, window).p_value == near(float(theirs["p_val"][0]))
