"""Judging: what is small, rare or uncertain is no drift, and one window is no alarm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from modelserve.drift.correction import Correction
from modelserve.drift.detectors import Comparison, named_detectors
from modelserve.drift.judging import AlarmRule, Judge
from modelserve.drift.table import Column, Kind, Row, Table
from modelserve.drift.verdicts import Outcome

CLASSICAL = named_detectors(["kolmogorov_smirnov", "chi_squared", "fisher"])


def table(seed: int, size: int, *, shift: float = 0.0, german: float = 0.1) -> Table:
    random = np.random.default_rng(seed)
    rows: list[Row] = [
        {
            "length": float(random.normal(shift)),
            "confidence": float(random.beta(8, 2)),
            "language": "de" if random.random() < german else "en",
            "has_PER": bool(random.random() < 0.4),
        }
        for _ in range(size)
    ]
    return Table.from_rows(rows)


BASELINE = table(0, 1000)


def test_the_same_distribution_is_steady() -> None:
    found = Judge(CLASSICAL).judge(table(1, 200), BASELINE)
    assert found.outcome is Outcome.STEADY
    assert {one.feature for one in found.features} == {"length", "confidence", "language", "has_PER"}
    assert all((one.baseline_size, one.window_size) == (1000, 200) for one in found.features)


def test_what_moved_most_comes_first() -> None:
    found = Judge(CLASSICAL).judge(table(1, 200, shift=0.7, german=0.9), BASELINE)
    assert found.outcome is Outcome.DRIFT
    assert [one.feature for one in found.features[:2]] == ["language", "length"]
    assert [one.drifted for one in found.features] == [True, True, False, False]


def test_a_certain_but_small_difference_is_no_drift() -> None:
    large, shifted = table(2, 20_000), table(3, 20_000, shift=0.1)
    found = Judge(CLASSICAL).judge(shifted, large)
    (length,) = (one for one in found.features if one.feature == "length")
    assert length.corrected_p_value < 1e-6
    assert found.outcome is Outcome.STEADY
    assert Judge(CLASSICAL, min_effect=0.02).judge(shifted, large).outcome is Outcome.DRIFT


def test_features_of_another_version_are_not_compared() -> None:
    older = replace(BASELINE, version=BASELINE.version - 1)
    found = Judge(CLASSICAL).judge(table(1, 200), older)
    assert (found.outcome, found.features) == (Outcome.NO_VERDICT, ())
    assert "the window's features are of version 1, the baseline's of 0" in found.reason


def test_too_few_samples_are_no_verdict() -> None:
    found = Judge(CLASSICAL, min_samples=50).judge(table(1, 49, shift=9), BASELINE)
    assert found.outcome is Outcome.NO_VERDICT
    assert found.reason == (
        "no feature has 50 samples in the window (49) and in the baseline (1000) that a detector compares"
    )
    assert Judge(CLASSICAL, min_samples=50).judge(table(1, 50, shift=9), BASELINE).outcome is Outcome.DRIFT


def test_only_features_with_enough_samples_are_compared() -> None:
    rows: list[Row] = [{"length": 0.0, "confidence": 0.1} if n < 40 else {"length": 0.0} for n in range(100)]
    found = Judge(CLASSICAL).judge(Table.from_rows(rows), BASELINE)
    assert {one.feature for one in found.features} == {"length", "has_PER"}


def test_a_flag_that_never_came_has_moved() -> None:
    without = Table.from_rows([{"length": float(n)} for n in np.random.default_rng(1).normal(size=200)])
    found = Judge(CLASSICAL).judge(without, BASELINE)
    assert [one.feature for one in found.features if one.drifted] == ["has_PER"]


def test_features_of_another_make_are_not_compared() -> None:
    other = Table.from_rows([{"length": "long", "embedding": np.zeros(3, np.float32)}] * 100)
    mine = Table.from_rows([{"length": 1.0, "embedding": np.zeros(4, np.float32)}] * 100)
    assert Judge(CLASSICAL).judge(other, mine).outcome is Outcome.NO_VERDICT


@dataclass(frozen=True)
class Fixed:
    """Says the same p-value whatever it compares."""

    p_value: float
    name: str = "fixed"
    kind: Kind = Kind.NUMBER

    def compare(self, reference: Column, window: Column) -> Comparison:
        return Comparison(1.0, self.p_value, 0.5)


@dataclass(frozen=True)
class Choosy(Fixed):
    """Compares nothing that is longer than a hundred."""

    def compare(self, reference: Column, window: Column) -> Comparison:
        if len(window) > 100:
            raise ValueError("at most 100 are accepted")
        return super().compare(reference, window)


def test_a_detector_that_cannot_compare_leaves_the_others_their_verdict(
    caplog: pytest.LogCaptureFixture,
) -> None:
    many = Table.from_rows([{"length": 0.0}] * 101)
    found = Judge([Choosy(1e-9, name="choosy"), Fixed(0.9)]).judge(many, many)
    assert [one.detector for one in found.features] == ["fixed"]
    assert "choosy does not compare length: at most 100 are accepted" in caplog.text
    assert Judge([Choosy(1e-9)]).judge(many, many).outcome is Outcome.NO_VERDICT


class Broken(Fixed):
    """Fails on whatever it is given, as a library below it may."""

    def compare(self, reference: Column, window: Column) -> Comparison:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


def test_a_detector_that_fails_leaves_the_others_their_verdict(caplog: pytest.LogCaptureFixture) -> None:
    found = Judge([Broken(0.9, name="broken"), Fixed(1e-9)]).judge(table(1, 200), BASELINE)
    assert {one.detector for one in found.features} == {"fixed"}
    assert found.outcome is Outcome.DRIFT
    assert "broken fails on length" in caplog.text
    assert "illegal memory access" in caplog.text


@pytest.mark.parametrize("correction", Correction)
def test_the_number_of_comparisons_counts(correction: Correction) -> None:
    """Of ten features one with p = 0.005 is what chance gives."""
    detectors = [Fixed(0.005), *(Fixed(0.9) for _ in range(9))]
    one = Table.from_rows([{"length": 0.0}] * 100)
    found = Judge(detectors, alpha=0.01, correction=correction).judge(one, one)
    assert found.outcome is Outcome.STEADY
    assert min(feature.corrected_p_value for feature in found.features) == pytest.approx(0.05)


def test_an_alarm_needs_several_windows() -> None:
    rule, before, said = AlarmRule(needed=2, of=3), list[Outcome](), list[bool]()
    for letter in "dsdssdnd":
        outcome = {"d": Outcome.DRIFT, "s": Outcome.STEADY, "n": Outcome.NO_VERDICT}[letter]
        said.append(rule.is_up(before, outcome))
        before.append(outcome)
    assert said == [False, False, True, False, False, False, False, True]
    assert rule.is_up(before, Outcome.NO_VERDICT), "it stays up until there is a verdict"


def test_windows_called_drifted_by_chance() -> None:
    """Of 400 windows of the same distribution no more than alpha says, by its binomial bound."""
    judge = Judge(CLASSICAL, alpha=0.05, min_effect=0.0)
    drifted = sum(
        judge.judge(table(100 + seed, 200), table(1000 + seed, 1000)).outcome is Outcome.DRIFT
        for seed in range(400)
    )
    assert drifted <= 20 + 4 * np.sqrt(400 * 0.05 * 0.95)
