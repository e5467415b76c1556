"""Dimensions measured by how much they vary in the reference, so that none of them hides the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drift_detector.alibi.vectors import finite
from modelserve.drift.table import Column


@dataclass(frozen=True, slots=True)
class Scale:
    """What a reference says of its dimensions.

    alibi-detect divides by the deviation itself, and by 1e-12 where there is none: in float32 nothing but
    rounding is left then of all other dimensions. Those that do not vary are left out.
    """

    varying: Column
    mean: Column
    deviation: Column

    @classmethod
    def of(cls, reference: Column) -> Scale:
        """The scale of a reference, [n, d]."""
        sample = reference.astype(np.float64)
        varying = np.flatnonzero(np.ptp(sample, axis=0) > 1e-5 * np.abs(sample).max(axis=0))
        return cls(varying, sample[:, varying].mean(axis=0), sample[:, varying].std(axis=0))

    def apply(self, sample: Column) -> Column:
        """The sample by this scale: [n, d] to float32 [n, dimensions that vary]."""
        scaled = (sample[:, self.varying].astype(np.float64) - self.mean) / self.deviation
        return finite(np.clip(scaled, -1e6, 1e6))
