"""Fisher's exact test: whether a flag is set as often in two samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import fisher_exact

from modelserve.drift.detectors.protocol import Comparison
from modelserve.drift.table import Column, Kind


@dataclass(frozen=True, slots=True)
class Fisher:
    """For flags, of any share and any size of sample.

    The statistic is the odds ratio, with a half added to each count so that it is a number where one is zero
    (Haldane, 1956). The effect is the difference of the shares.
    """

    name: str = "fisher"
    kind: Kind = Kind.FLAG

    def compare(self, reference: Column, window: Column) -> Comparison:
        """Compare two samples, two-sided."""
        counts = np.array(
            [[np.count_nonzero(side), len(side) - np.count_nonzero(side)] for side in (window, reference)]
        )
        # SciPy's p-value of equal samples is 1 up to rounding.
        p_value = min(1.0, float(fisher_exact(counts).pvalue))
        (a, b), (c, d) = counts + 0.5
        effect = abs(float(np.mean(window)) - float(np.mean(reference)))
        return Comparison(float(a * d / (b * c)), p_value, effect)
