"""How alibi-detect is imported, and what is kept of references."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from drift_detector.alibi.fitted import Fitted
from drift_detector.alibi.library import seeded
from drift_detector.alibi.permutations import PERMUTATIONS, memberships, p_value
from drift_detector.alibi.vectors import finite, thinned
from modelserve.drift.correction import Correction, correct
from modelserve.drift.detectors import available_detectors, named_detectors
from modelserve.drift.table import Column, Kind


def test_they_are_made_without_importing_alibi_detect() -> None:
    code = """
import sys
from modelserve.drift.detectors import named_detectors
named_detectors(["mmd", "lsdd"])
heavy = {"alibi_detect", "tensorflow", "numba"} & {name.partition(".")[0] for name in sys.modules}
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_vectors_are_compared_by_mmd_unless_another_is_named() -> None:
    assert [one.name for one in available_detectors() if one.kind is Kind.VECTOR] == ["mmd"]
    assert [(one.name, one.kind) for one in named_detectors(["lsdd"])] == [("lsdd", Kind.VECTOR)]


def test_nothing_is_printed_and_one_thread_is_used() -> None:
    code = """
from drift_detector.alibi.lsdd import LeastSquaresDensityDifference
from drift_detector.alibi.mmd import MaximumMeanDiscrepancy
from drift_detector.alibi.online_mmd import OnlineMaximumMeanDiscrepancy
import numpy as np
vectors = np.random.default_rng(0).standard_normal((100, 4)).astype(np.float32)
for make in (MaximumMeanDiscrepancy, LeastSquaresDensityDifference):
    make().compare(vectors, vectors[:50])
OnlineMaximumMeanDiscrepancy(vectors, 100).update(vectors[0])
import tensorflow
assert tensorflow.config.threading.get_intra_op_parallelism_threads() == 1
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=False, capture_output=True, text=True
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_numpy_s_own_numbers_go_on_as_if_nothing_had_been_drawn() -> None:
    np.random.seed(3)
    expected = np.random.random_sample(4)
    np.random.seed(3)
    drawn = [np.random.random_sample()]
    for _ in range(2):
        with seeded():
            inside = np.random.random_sample(3)
    assert inside.tolist() != expected[1:].tolist()
    drawn += [np.random.random_sample() for _ in range(3)]
    assert drawn == expected.tolist()


def test_a_reference_is_fitted_once_and_known_by_what_is_in_it() -> None:
    made: list[float] = []

    def make(reference: Column) -> int:
        made.append(float(reference.sum()))
        return len(made)

    fitted = Fitted(make)
    one, other = np.ones((3, 2)), np.zeros((3, 2))
    assert [fitted.to(reference) for reference in (one, other, one.copy(), other)] == [1, 2, 1, 2]
    one[0, 0] = 5
    assert fitted.to(one) == 3
    assert fitted.to(np.ones((2, 3))) == 4, "the same bytes in another shape"
    assert [fitted.to(np.full((3, 2), float(value))) for value in range(10, 16)] == [5, 6, 7, 8, 9, 10]
    assert fitted.to(one) == 3
    assert fitted.to(other) == 11, "the one least asked for went"


def test_large_samples_are_thinned_to_the_same_rows_in_their_order() -> None:
    sample = np.arange(1000)
    few = thinned(sample)
    assert len(few) == 500
    assert (np.diff(few) > 0).all()
    assert few.tolist() == thinned(sample).tolist()
    assert thinned(few) is few


def test_what_is_infinite_is_made_large() -> None:
    made = finite(np.array([np.inf, -np.inf, 1.5]))
    assert np.isfinite(made**2).all()
    assert made[2] == 1.5


def test_memberships_keep_the_size_of_the_window() -> None:
    rows = memberships(30, 12)
    assert rows.shape == (1 + PERMUTATIONS, 42)
    assert (rows.sum(axis=1) == 12).all()
    assert rows[0].tolist() == [0] * 30 + [1] * 12
    # Each sample is in the window as often as any other.
    assert rows[1:].mean(axis=0) == pytest.approx(12 / 42, abs=5 * (12 / 42 * 30 / 42 / PERMUTATIONS) ** 0.5)


def test_the_smallest_p_value_is_significant_among_twenty_features() -> None:
    smallest = p_value(np.array([1.0] + [0.0] * PERMUTATIONS))
    for method in Correction:
        assert correct([smallest] + [1.0] * 19, method)[0] <= 0.01


def test_what_rounding_sets_apart_is_equal() -> None:
    assert p_value(np.array([0.3, 0.1 + 0.2 - 1e-15, 0.1])) == pytest.approx(2 / 3)
