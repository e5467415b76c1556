"""The test of Kolmogorov and Smirnov: how far apart two distribution functions are at most."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import ks_2samp

from modelserve.drift.detectors.protocol import NOTHING, Comparison
from modelserve.drift.table import Column, Kind


@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov:
    """For numbers. It is sensitive to shifts of where most values are.

    The p-value is asymptotic: it hardly differs from the exact one at the sizes of windows, and the exact one
    takes seconds for large samples. Both are conservative where values are tied. The effect is the statistic,
    the largest difference of the distribution functions.
    """

    name: str = "kolmogorov_smirnov"
    kind: Kind = Kind.NUMBER

    def compare(self, reference: Column, window: Column) -> Comparison:
        """Compare two samples, two-sided."""
        if min(len(reference), len(window)) < 2:
            return NOTHING
        found = ks_2samp(reference, window, method="asymp")
        return Comparison(float(found.statistic), float(found.pvalue), float(found.statistic))
