"""Vectors, by the maximum mean discrepancy of their distributions: the default for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drift_detector.alibi.fitted import Fitted
from drift_detector.alibi.library import alibi_detect, require
from drift_detector.alibi.permutations import memberships, p_value
from drift_detector.alibi.vectors import finite, thinned, width
from modelserve.drift.detectors.protocol import NOTHING, Comparison
from modelserve.drift.table import Column, Kind


class MaximumMeanDiscrepancy:
    """alibi-detect's ``MMDDrift``: a Gaussian kernel, as wide as the median distance within the reference.

    The statistic is the unbiased estimate of ``MMD² = E k(x, x') + E k(y, y') - 2 E k(x, y)``, below 0 where
    the samples are closer than chance would have them. The effect is ``sqrt(MMD² / (E k(x, x') + E k(y,
    y')))``: 0 for one distribution, and 1 for two of which no kernel sees both, whatever its width.

    At most 500 vectors of each sample are compared, chosen once for all.
    """

    name = "mmd"
    kind = Kind.VECTOR

    def __init__(self) -> None:
        require()
        self._fitted: Fitted[Any] = Fitted(_fit)

    def compare(self, reference: Column, window: Column) -> Comparison:
        """Compare two samples, float32 [n, d] and [m, d]."""
        if min(len(reference), len(window)) < 2:
            return NOTHING  # the estimate goes by pairs within each sample
        detector = self._fitted.to(reference)
        compared = finite(thinned(window))
        n, m = len(detector.x_ref), len(compared)
        kernel = detector.kernel_matrix(detector.x_ref, compared).numpy().astype(np.float64)
        np.fill_diagonal(kernel, 0)
        windows = memberships(n, m)
        within_window = np.einsum("pi,pi->p", windows @ kernel, windows)
        across = windows @ kernel.sum(axis=0) - within_window
        within_reference = kernel.sum() - 2 * across - within_window
        own = within_reference / (n * (n - 1)) + within_window / (m * (m - 1))
        squared = own - 2 * across / (n * m)
        effect = math.sqrt(squared[0] / own[0]) if squared[0] > 0 else 0.0
        return Comparison(float(squared[0]), p_value(squared), effect)


def _fit(reference: Column) -> Any:
    chosen = finite(thinned(reference))
    return alibi_detect("cd.tensorflow.mmd").MMDDriftTF(chosen, sigma=width(chosen))
