"""What the model says: the shares of its labels, and how sure it is.

A call may hold several texts or images, and a text several entities, which need not be independent of each
other. A call is therefore at most one observation: where there are more predictions than calls, each counts
for as much less. That is exact where a call's predictions are all the same, and cautious where they differ.
"""

from __future__ import annotations

import numpy as np

from modelserve.canary.judge.evidence import Tables
from modelserve.canary.judge.odds import Floats, Integers
from modelserve.canary.judge.policy import ShareLimits
from modelserve.canary.judge.weighing import Weighed, before, weigh_other


def prediction_weights(calls: Integers, predictions: Integers) -> Floats:
    """How much a prediction counts in each look.

    Args:
        calls: to both revisions.
        predictions: of both revisions.
    """
    return np.asarray(np.minimum(1.0, calls / np.maximum(predictions, 1)), np.float64)


def weigh_labels(canary: Integers, stable: Integers, weights: Floats, limits: ShareLimits) -> Weighed:
    """Weigh whether any label's share moved.

    Shares that differ by less than a bound in total variation differ by less than it in each label. The
    evidence of all labels is their mean, and safe is what is safe by each.

    Args:
        canary: predictions by label in each look, [..., looks, labels].
        stable: likewise.
        weights: how much a prediction counts, [..., looks].
        limits: for the difference of a label's shares.
    """
    calls, stable_calls = canary.sum(axis=-1), stable.sum(axis=-1)
    harm = np.full(calls.shape, -np.inf)
    safety = np.full(calls.shape, np.inf)
    for label in range(canary.shape[-1]):
        tables = Tables(calls, canary[..., label], stable_calls, stable[..., label])
        weighed = weigh_other(tables, limits, weights)
        harm = np.logaddexp(harm, weighed.harm - np.log(canary.shape[-1]))
        safety = np.minimum(safety, weighed.safety)
    return Weighed(harm, safety)


def middle_edge(stable: Integers) -> Integers:
    """Before each look, the index of the edge that halves the stable revision's scores best.

    Args:
        stable: predictions by bucket in each look, [..., looks, edges + 1].
    """
    past = before(stable, axis=-2)
    below = np.cumsum(past, axis=-1)[..., :-1]
    return np.asarray(np.abs(below - past.sum(axis=-1, keepdims=True) / 2).argmin(axis=-1), np.int64)
