"""P-values of several tests at once: one in a hundred is below 0.01 by chance."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
from scipy.stats import false_discovery_control


class Correction(str, Enum):
    """How the number of tests is corrected for."""

    FDR = "fdr"
    BONFERRONI = "bonferroni"


def correct(p_values: Sequence[float], correction: Correction) -> list[float]:
    """What the p-values are worth together, in their order.

    Rejecting those below alpha gives at most the share alpha of false ones among the rejected (``fdr``,
    Benjamini and Hochberg, 1995), or any false one with the chance alpha (``bonferroni``).
    """
    if not p_values:
        return []
    if correction is Correction.BONFERRONI:
        return [min(1.0, p_value * len(p_values)) for p_value in p_values]
    corrected: list[float] = false_discovery_control(np.array(p_values), method="bh").tolist()
    return corrected
