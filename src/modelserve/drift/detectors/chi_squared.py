"""The chi-squared test of homogeneity: whether categories have the same shares."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2_contingency

from modelserve.drift.detectors.protocol import NOTHING, Comparison
from modelserve.drift.table import Column, Kind

_FEW, _LEAST_EXPECTED = 5.0, 1.0
_MOST_WITH_FEW = 0.2
"""The statistic's distribution is that of chi-squared if fewer than 5 are expected in at most a fifth of the
counts, and nowhere less than 1 (Cochran, 1954)."""


@dataclass(frozen=True, slots=True)
class ChiSquared:
    """For categories, those of either sample.

    The rarest are counted as one, two at a time, until as many are expected of each as the test needs, so
    that many new names together are seen as well as one. So a new name is hidden only where it hardly comes,
    or where many others are as rare. The effect is Cramér's V as of samples of equal sizes, what chance adds
    taken off.
    """

    name: str = "chi_squared"
    kind: Kind = Kind.CATEGORY

    def compare(self, reference: Column, window: Column) -> Comparison:
        """Compare two samples."""
        counts = _pooled(_count(reference, window))
        if counts.shape[1] < 2:
            return NOTHING  # there is one category, and both have it
        found = chi2_contingency(counts, correction=False)
        return Comparison(float(found.statistic), float(found.pvalue), _effect(counts))


def _effect(counts: npt.NDArray[np.int64]) -> float:
    """Root of half the sum of (p - q)**2 / (p + q), less what that is on average of equal distributions."""
    sizes = counts.sum(axis=1)
    one, other = counts / sizes[:, None]
    squared = ((one - other) ** 2 / (one + other)).sum() / 2
    by_chance = (counts.shape[1] - 1) * (1 / sizes).sum() / 4
    return math.sqrt(min(1.0, max(0.0, squared - by_chance)))


def _count(reference: Column, window: Column) -> npt.NDArray[np.int64]:
    """How often each category comes: [2, categories], the most frequent of both first."""
    names, places = np.unique(np.concatenate([reference, window]), return_inverse=True)
    counts = np.stack(
        [
            np.bincount(part, minlength=len(names))
            for part in (places[: len(reference)], places[len(reference) :])
        ]
    )
    counted: npt.NDArray[np.int64] = counts[:, np.argsort(-counts.sum(axis=0), kind="stable")]
    return counted


def _pooled(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """With the rarest categories in one."""
    sides = counts.sum(axis=1) / counts.sum()
    while counts.shape[1] > 2 and _are_few(counts.sum(axis=0), sides):
        rest = counts[:, -2:].sum(axis=1, keepdims=True)
        counts = np.concatenate([counts[:, :-2], rest], axis=1)
        counts = counts[:, np.argsort(-counts.sum(axis=0), kind="stable")]
    return counts


def _are_few(totals: npt.NDArray[np.int64], sides: npt.NDArray[np.float64]) -> bool:
    """Whether too few are expected for the statistic's distribution to be that of chi-squared.

    Args:
        totals: of the categories, the least last.
        sides: the shares of the samples.
    """
    if totals[-1] * sides.min() < _LEAST_EXPECTED:
        return True
    return bool(np.mean(np.outer(sides, totals) < _FEW) > _MOST_WITH_FEW)
