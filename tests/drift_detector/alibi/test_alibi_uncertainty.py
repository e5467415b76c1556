"""What alibi-detect calls classifier uncertainty is the feature ``entropy``, compared as any number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import ks_2samp

from drift_detector.alibi.library import alibi_detect
from modelserve.drift.detectors.kolmogorov_smirnov import KolmogorovSmirnov
from modelserve.drift.features.image import ImageFeatures
from modelserve.drift.table import Column, Kind, Table
from modelserve.events.calls import Classification

Answers = npt.NDArray[np.float32]


def answers(size: int, *, sureness: float, seed: int) -> Answers:
    """As a softmax gives them, float32."""
    return np.random.default_rng(seed).dirichlet(np.full(10, 1 / sureness), size).astype(np.float32)


def entropies(probabilities: Answers) -> Column:
    """As the detector has them of logged calls."""
    features = ImageFeatures(None)
    rows = [
        features.examine(b"no image", Classification((), (1.0,), probability=one), shown=False)[0]
        for one in probabilities
    ]
    return Table.from_rows(rows).known("entropy", Kind.NUMBER)


@pytest.mark.parametrize("sureness", [5.0, 4.0, 2.0])
def test_it_is_the_kolmogorov_smirnov_test_of_entropies(sureness: float) -> None:
    reference, window = answers(400, sureness=5, seed=1), answers(150, sureness=sureness, seed=2)
    samples = entropies(reference), entropies(window)
    ours = KolmogorovSmirnov().compare(*samples)
    # It calls a model, which here has answered already, and wants sums that are nearer to 1 than a softmax's.
    theirs = alibi_detect("cd").ClassifierUncertaintyDrift(
        _summing_to_one(reference), model=_summing_to_one, preds_type="probs", uncertainty_type="entropy"
    )
    said = theirs.predict(_summing_to_one(window))["data"]
    # Theirs is asymptotic, and ours exact.
    assert float(said["p_val"][0]) == pytest.approx(ks_2samp(*samples, method="asymp").pvalue, rel=1e-5)
    assert ours.p_value == pytest.approx(float(said["p_val"][0]), rel=0.05)
    assert ours.statistic == pytest.approx(float(said["distance"][0]), rel=1e-5)


def _summing_to_one(probabilities: Column) -> Column:
    exact = probabilities.astype(np.float64)
    summing: Column = exact / exact.sum(axis=1, keepdims=True)
    return summing
