"""The test of Cramér and von Mises: how far apart two distribution functions are on the whole."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import cramervonmises_2samp

from modelserve.drift.detectors.protocol import NOTHING, Comparison
from modelserve.drift.table import Column, Kind


@dataclass(frozen=True, slots=True)
class CramerVonMises:
    """For numbers. It sees differences all over the range that are nowhere large.

    The p-value is asymptotic, which is right for values that are not tied: SciPy's calls a third of windows
    drifted where a third of the values are equal, and all of them where there are three values. Ties are
    broken evenly, so that it is conservative there instead. The statistic T is n m / (n + m) times the mean
    squared difference of the distribution functions, and 1/6 on average where there is none (Anderson, 1962).
    The mean square is 1/3 where the samples have nothing in common: the effect is the root of three times of
    it, what chance adds taken off.
    """

    name: str = "cramer_von_mises"
    kind: Kind = Kind.NUMBER

    def compare(self, reference: Column, window: Column) -> Comparison:
        """Compare two samples."""
        if min(len(reference), len(window)) < 2:
            return NOTHING
        found = cramervonmises_2samp(*_untied(reference, window), method="asymptotic")
        size = len(reference) * len(window) / (len(reference) + len(window))
        squared = 3 * max(0.0, found.statistic - 1 / 6) / size
        p_value = min(1.0, max(0.0, float(found.pvalue)))
        return Comparison(float(found.statistic), p_value, min(1.0, math.sqrt(squared)))


def _untied(one: Column, other: Column) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Numbers in the same order, equal values of both samples spread evenly among each other."""
    values, places = (np.concatenate(parts) for parts in zip(_spread(one), _spread(other), strict=True))
    order = np.lexsort((places, values))
    steps = (np.diff(values[order]) != 0) | (np.diff(places[order]) != 0)
    ranks = np.empty(len(values), np.int64)
    ranks[order] = np.concatenate([[0], np.cumsum(steps)])
    return ranks[: len(one)], ranks[len(one) :]


def _spread(sample: Column) -> tuple[Column, npt.NDArray[np.float64]]:
    """A sample in order, and where among its equals each value stands, from 0 to 1."""
    values, counts = np.unique(sample, return_counts=True)
    firsts = np.repeat(np.cumsum(counts) - counts, counts)
    among = np.repeat(counts, counts)
    return np.repeat(values, counts), (np.arange(len(sample)) - firsts + 0.5) / among
