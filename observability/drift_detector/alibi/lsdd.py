"""Vectors, by the least-squares difference of their densities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from drift_detector.alibi.fitted import Fitted
from drift_detector.alibi.library import alibi_detect, require, seeded
from drift_detector.alibi.permutations import memberships, p_value
from drift_detector.alibi.regularisation import inner_product
from drift_detector.alibi.scaling import Scale
from drift_detector.alibi.vectors import finite, thinned, width
from modelserve.drift.detectors.protocol import NOTHING, Comparison
from modelserve.drift.table import Column, Kind


@dataclass(frozen=True, slots=True)
class _Fit:
    detector: Any
    inner: Column
    scale: Scale


class LeastSquaresDensityDifference:
    """alibi-detect's ``LSDDDrift``: densities ``p`` and ``q`` by kernels around vectors of the reference.

    The statistic estimates ``∫ (p - q)²``, but for a factor of the kernel's width. Without drift it is above
    0 by chance; its mean over the permutations is taken off for the effect, which is
    ``sqrt(∫ (p - q)² / (∫ p² + ∫ q²))``, all three estimated in the same way: 0 for one distribution, 1 for
    two that nowhere overlap.

    Each dimension is measured by its deviation in the reference, so those in which the reference does not
    vary are left out; MMD sees them. At most 500 vectors of each sample are compared, chosen once for all.
    """

    name = "lsdd"
    kind = Kind.VECTOR

    def __init__(self) -> None:
        require()
        self._fitted: Fitted[_Fit | None] = Fitted(_fit)

    def compare(self, reference: Column, window: Column) -> Comparison:
        """Compare two samples, float32 [n, d] and [m, d]; a reference without densities tells nothing."""
        fit = self._fitted.to(reference)
        if fit is None:
            return NOTHING
        detector = fit.detector
        scaled = fit.scale.apply(thinned(window))
        to_centers = detector.kernel(scaled, detector.kernel_centers)
        n, m = len(detector.k_xc), len(to_centers)
        similarity = np.concatenate([detector.k_xc, to_centers]).astype(np.float64)
        windows = memberships(n, m)
        of_window = windows @ similarity / m
        of_reference = (similarity.sum(axis=0) - windows @ similarity) / n
        squared = _squared(of_reference - of_window, fit.inner)
        mass = _squared(of_reference[:1], fit.inner)[0] + _squared(of_window[:1], fit.inner)[0]
        beyond_chance = max(0.0, squared[0] - squared[1:].mean())
        effect = min(1.0, math.sqrt(beyond_chance / mass)) if mass > 0 else 0.0
        return Comparison(float(squared[0]), p_value(squared), effect)


def _squared(rows: Column, inner: Column) -> Column:
    """``r · inner · r`` of each row."""
    squared: Column = np.einsum("pi,pi->p", rows @ inner, rows)
    return squared


def _fit(reference: Column) -> _Fit | None:
    """None where the reference has no densities: few vectors, or few that differ from each other."""
    chosen = finite(thinned(reference))
    scale = Scale.of(chosen)
    if len(chosen) < 3 or not len(scale.varying):
        return None
    scaled = scale.apply(chosen)
    lsdd = alibi_detect("cd.tensorflow.lsdd").LSDDDriftTF
    with seeded():
        detector = lsdd(scaled, sigma=width(scaled))
    inner = inner_product(detector.k_xc.numpy(), detector.kernel, detector.kernel_centers)
    return None if inner is None else _Fit(detector, inner.numpy().astype(np.float64), scale)
