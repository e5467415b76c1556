"""The test of Kolmogorov and Smirnov: how far apart two distribution functions are at most."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import ks_2samp

from modelserve.drift.detectors.protocol import NOTHING, Comparison
from modelserve.drift.table import Column, Kind

_MOST_EXACT = 1_000_000
"""Sizes, multiplied, up to which the exact p-value takes some 30 ms at most."""

_EXACT_BELOW = 0.5


@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov:
    """For numbers. It is sensitive to shifts of where most values are.

    The p-value is exact for samples of usual sizes: the asymptotic one is a fifth too small for 50 against 50
    values, and hardly differs where the exact one would take a second. Both are conservative where values are
    tied. The effect is the statistic, the largest difference of the distribution functions.
    """

    name: str = "kolmogorov_smirnov"
    kind: Kind = Kind.NUMBER

    def compare(self, reference: Column, window: Column) -> Comparison:
        """Compare two samples, two-sided."""
        if min(len(reference), len(window)) < 2:
            return NOTHING
        found = ks_2samp(reference, window, method="asymp")
        p_value = float(found.pvalue)
        # Near 1 SciPy's exact sum may be above 1 by rounding, of which it warns.
        if p_value < _EXACT_BELOW and len(reference) * len(window) <= _MOST_EXACT:
            p_value = float(ks_2samp(reference, window, method="exact").pvalue)
        return Comparison(float(found.statistic), p_value, float(found.statistic))
