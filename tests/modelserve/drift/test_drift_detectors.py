"""Detectors: what SciPy says, effects that mean the same at any size, and no alarm without a cause."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError
from scipy import stats

from modelserve.drift.correction import Correction, correct
from modelserve.drift.detectors import (
    ChiSquared,
    CramerVonMises,
    Detector,
    Fisher,
    KolmogorovSmirnov,
    available_detectors,
    named_detectors,
)
from modelserve.drift.settings import DriftSettings
from modelserve.drift.table import Column, Kind

ALL: list[Detector] = [KolmogorovSmirnov(), CramerVonMises(), ChiSquared(), Fisher()]
NAMES = np.array(["en", "de", "fr", "es", "it"])

numbers = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e6, 1e6))
samples = {
    Kind.NUMBER: numbers | hnp.arrays(np.float64, st.integers(1, 40), elements=st.sampled_from([0.0, 1.0])),
    Kind.FLAG: hnp.arrays(np.bool_, st.integers(1, 40)),
    Kind.CATEGORY: st.lists(st.sampled_from(NAMES.tolist()), min_size=1, max_size=40).map(np.array),
}


def draw(kind: Kind, random: np.random.Generator, size: int, shift: float = 0.0) -> Column:
    """A sample that ``shift``, from 0 to 1, moves to where the unmoved one never is."""
    moved = random.random(size) < shift
    if kind is Kind.NUMBER:
        return np.where(moved, 100.0, random.normal(size=size))
    if kind is Kind.FLAG:
        return moved
    return np.where(moved, "other", NAMES[random.integers(0, 3, size)])


by_name = pytest.mark.parametrize("detector", ALL, ids=lambda detector: detector.name)


@by_name
@settings(deadline=None)
@given(st.data())
def test_whatever_the_samples(detector: Detector, data: st.DataObject) -> None:
    one, other = (data.draw(samples[detector.kind]) for _ in range(2))
    found = detector.compare(one, other)
    assert 0 <= found.p_value <= 1
    assert 0 <= found.effect <= 1
    assert np.isfinite(found.statistic)
    back = detector.compare(other, one)
    assert back.p_value == pytest.approx(found.p_value, abs=1e-9)
    assert back.effect == pytest.approx(found.effect, abs=1e-9)
    mixed = detector.compare(np.random.default_rng(0).permutation(one), other)
    assert mixed.p_value == pytest.approx(found.p_value, abs=1e-9)


@by_name
@settings(deadline=None)
@given(st.data())
def test_a_sample_against_itself(detector: Detector, data: st.DataObject) -> None:
    one = data.draw(samples[detector.kind])
    found = detector.compare(one, one)
    assert found.p_value > 0.5
    assert found.effect == pytest.approx(0, abs=1e-9)


@by_name
def test_an_effect_means_the_same_at_any_size(detector: Detector) -> None:
    random = np.random.default_rng(3)
    shifts = (0.0, 0.2, 0.5, 1.0)
    effects = [
        [detector.compare(draw(detector.kind, random, n), draw(detector.kind, random, m, shift)).effect
         for shift in shifts]
        for n, m in ((500, 500), (5000, 500), (500, 20_000))
    ]  # fmt: skip
    for row in effects:
        assert row == sorted(row)
        assert row[0] < 0.12
        assert row == pytest.approx(effects[0], abs=0.1)
    assert effects[0][-1] == pytest.approx(1, abs=0.02)


@by_name
def test_where_nothing_has_changed_few_are_called(detector: Detector) -> None:
    """No more than one in twenty of 500, by four standard deviations of the binomial distribution."""
    random = np.random.default_rng(11)
    called = sum(
        detector.compare(draw(detector.kind, random, 300, 0.3), draw(detector.kind, random, 200, 0.3)).p_value
        < 0.05
        for _ in range(500)
    )
    assert called <= 25 + 4 * np.sqrt(500 * 0.05 * 0.95)


@by_name
def test_a_change_is_found(detector: Detector) -> None:
    random = np.random.default_rng(5)
    found = [
        detector.compare(
            draw(detector.kind, random, 1000, 0.1), draw(detector.kind, random, 200, 0.4)
        ).p_value
        for _ in range(50)
    ]
    assert max(found) < 0.001


several = hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(-1e6, 1e6))
untied = hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(-1e6, 1e6), unique=True)


@settings(deadline=None)
@given(several, several)
def test_kolmogorov_smirnov_as_scipy_has_it(one: Column, other: Column) -> None:
    about, found = stats.ks_2samp(one, other, method="asymp"), KolmogorovSmirnov().compare(one, other)
    p_value = stats.ks_2samp(one, other, method="exact").pvalue if about.pvalue < 0.5 else about.pvalue
    assert (found.statistic, found.p_value) == (about.statistic, p_value)


def test_kolmogorov_smirnov_by_counting_all_orders() -> None:
    """Of four and five values, without SciPy."""
    one, other = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.5, 5.0, 6.0, 7.0, 8.0])
    whole = np.concatenate([one, other])

    def distance(chosen: Sequence[int]) -> float:
        is_one = np.isin(np.arange(9), chosen)[np.argsort(whole)]
        return float(np.abs(np.cumsum(is_one) / 4 - np.cumsum(~is_one) / 5).max())

    orders = [distance(chosen) for chosen in combinations(range(9), 4)]
    found = KolmogorovSmirnov().compare(one, other)
    assert found.statistic == pytest.approx(distance(range(4)))
    assert found.p_value == pytest.approx(np.mean(np.array(orders) >= found.statistic - 1e-9))


@pytest.mark.parametrize(("sizes", "method"), [((1000, 1000), "exact"), ((1000, 1001), "asymp")])
def test_kolmogorov_smirnov_is_exact_where_that_is_quick(sizes: tuple[int, int], method: str) -> None:
    one, other = np.arange(sizes[0]) + 60.0, np.arange(sizes[1]) + 0.5
    p_values = {how: stats.ks_2samp(one, other, method=how).pvalue for how in ("exact", "asymp")}
    assert KolmogorovSmirnov().compare(one, other).p_value == p_values[method]
    assert p_values["exact"] != p_values["asymp"]


@settings(deadline=None)
@given(untied, untied)
def test_cramer_von_mises_as_scipy_has_it(one: Column, other: Column) -> None:
    expected = stats.cramervonmises_2samp(one, other, method="asymptotic")
    found = CramerVonMises().compare(one, other)
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)


def test_categories_as_scipy_has_them() -> None:
    counts = np.array([[120, 60, 20], [40, 40, 20]])
    one, other = (np.repeat(["a", "b", "c"], row) for row in counts)
    expected = stats.chi2_contingency(counts, correction=False)
    found = ChiSquared().compare(one, other)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_flags_as_scipy_has_them() -> None:
    one, other = np.repeat([True, False], [30, 170]), np.repeat([True, False], [40, 60])
    found = Fisher().compare(one, other)
    assert found.p_value == pytest.approx(stats.fisher_exact([[40, 60], [30, 170]]).pvalue)
    assert found.effect == pytest.approx(0.25)


def test_many_new_names_are_seen_as_well_as_one() -> None:
    before = np.repeat(["en"], 1000)
    scattered = np.array(["en"] * 170 + [f"new-{place}" for place in range(30)])
    found = ChiSquared().compare(before, scattered)
    assert found.p_value < 1e-9
    assert found.effect > 0.2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"en": 950, "sw": 50}, {"en": 180, "fi": 20}),
        ({"en": 950, "sw": 25, "no": 25}, {"en": 180, "fi": 20}),
        ({"en": 950, "sw": 50}, {"en": 190, "fi": 10}),
        ({"en": 900, **{f"rare-{place}": 10 for place in range(10)}}, {"en": 180, "fi": 20}),
    ],
    ids=str,
)
def test_a_new_name_does_not_hide_among_rare_old_ones(before: dict[str, int], after: dict[str, int]) -> None:
    one, other = (np.repeat(list(counts), list(counts.values())) for counts in (before, after))
    found = ChiSquared().compare(one, other)
    assert found.p_value < 1e-5
    assert found.effect > 0.15


def test_shares_that_fall_off_slowly_are_no_drift() -> None:
    """A few names are frequent and some hundred are not; at the level that windows are judged by."""
    random = np.random.default_rng(4)
    names, shares = np.arange(300).astype("U3"), 1 / np.arange(1, 301) ** 1.2
    called = sum(
        ChiSquared()
        .compare(*(random.choice(names, size, p=shares / shares.sum()) for size in (600, 100)))
        .p_value
        < 0.01
        for _ in range(300)
    )
    assert called <= 3 + 4 * np.sqrt(300 * 0.01 * 0.99)


def test_rare_names_that_come_and_go_are_no_drift() -> None:
    random = np.random.default_rng(2)
    rare = [f"rare-{place}" for place in range(300)]
    called = 0
    for _ in range(200):
        one, other = (
            np.array([random.choice(rare) if random.random() < 0.05 else "usual" for _ in range(size)])
            for size in (1000, 200)
        )
        called += ChiSquared().compare(one, other).p_value < 0.05
    assert called <= 10 + 4 * np.sqrt(200 * 0.05 * 0.95)


def test_detectors_by_name() -> None:
    assert [one.name for one in named_detectors(["fisher", "cramer_von_mises"])] == [
        "fisher",
        "cramer_von_mises",
    ]
    with pytest.raises(ValueError, match="'nosuch' is not at hand; accepted are kolmogorov_smirnov, cramer"):
        named_detectors(["nosuch"])


@pytest.mark.parametrize("names", [",", " ", " , ,"])
def test_settings_that_name_no_detector_are_refused(names: str) -> None:
    with pytest.raises(ValidationError, match="which names none; names or nothing are accepted"):
        DriftSettings.model_validate({"detectors": names})
    assert DriftSettings.model_validate({"detectors": ""}).judge().detectors
    named = DriftSettings.model_validate({"detectors": "fisher,"})
    assert [one.name for one in named.judge().detectors] == ["fisher"]


def test_without_alibi_detect_there_is_one_for_each_kind_but_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alibi_detect", None)
    assert [one.name for one in available_detectors()] == ["kolmogorov_smirnov", "chi_squared", "fisher"]


p_values = st.lists(st.floats(0, 1), max_size=20)


@given(p_values, st.sampled_from(Correction))
def test_corrected_p_values(values: list[float], correction: Correction) -> None:
    corrected = correct(values, correction)
    assert len(corrected) == len(values)
    assert all(before - 1e-12 <= after <= 1 for before, after in zip(values, corrected, strict=True))
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.array(corrected)[order]) >= -1e-12), "their order stays"


def test_corrections_by_hand() -> None:
    values = [0.01, 0.02, 0.03, 0.5]
    assert correct(values, Correction.BONFERRONI) == pytest.approx([0.04, 0.08, 0.12, 1.0])
    assert correct(values, Correction.FDR) == pytest.approx([0.04, 0.04, 0.04, 0.5])
