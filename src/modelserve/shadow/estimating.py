"""Running estimates with bounds for one look, in memory that does not grow.

``modelserve.shadow.sequence`` has the bounds that a decision is made by. These describe, and hold for a
report that is read once, when it is complete. The observations are calls, as the texts of one call need not
be independent of each other.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from modelserve.shadow.bounds import Bounds

LEAST_OBSERVATIONS = 5
"""Fewer give no bounds: Student's quantile is approximated here from four degrees of freedom on."""


def wilson(share: float, count: float, confidence: float) -> tuple[float, float]:
    """Wilson's bounds for a share of independent observations (Wilson 1927).

    Args:
        share: that was seen.
        count: observations that it was seen in, above 0; an effective number need not be whole.
        confidence: of both bounds together.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def student_quantile(probability: float, freedom: int) -> float:
    """A quantile of Student's t, to 0.002 from four degrees of freedom on (Abramowitz & Stegun, 26.7.5)."""
    z = NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * freedom**4)
    )


class Mean:
    """The mean of what is observed of each call, with Student's bounds."""

    def __init__(self) -> None:
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, observation: float) -> None:
        """Take what was observed of a call (Welford 1962: a sum of squares would lose its small ones)."""
        self._count += 1
        before = observation - self._mean
        self._mean += before / self._count
        self._squares += before * (observation - self._mean)

    def bounds(self, confidence: float) -> Bounds | None:
        """None with fewer than ``LEAST_OBSERVATIONS``."""
        if self._count < LEAST_OBSERVATIONS:
            return None
        error = math.sqrt(self._squares / (self._count - 1) / self._count)
        half = student_quantile((1 + confidence) / 2, self._count - 1) * error
        return Bounds(self._mean, self._mean - half, self._mean + half, self._count)


class Ratio:
    """A share whose parts and wholes are summed over calls: items that disagree, of items; F1.

    The bounds are Wilson's for the number of independent observations that would vary as much as the calls
    do, which the delta method tells. They are at most as many as there are units in the wholes. Where no
    call departs from the others nothing can be told of their varying, and every call is taken for one
    observation.
    """

    def __init__(self) -> None:
        self._calls, self._part, self._whole = 0, 0.0, 0.0
        self._part_part = self._part_whole = self._whole_whole = 0.0

    def add(self, part: float, whole: float) -> None:
        """Take a call; one with a whole of 0 says nothing.

        Args:
            part: of the whole, from 0 to it.
            whole: of the call, in units such as items.
        """
        if whole <= 0:
            return
        self._calls += 1
        self._part += part
        self._whole += whole
        self._part_part += part * part
        self._part_whole += part * whole
        self._whole_whole += whole * whole

    def bounds(self, confidence: float) -> Bounds | None:
        """None with fewer than ``LEAST_OBSERVATIONS``."""
        if self._calls < LEAST_OBSERVATIONS:
            return None
        share = self._part / self._whole
        departures = self._part_part - 2 * share * self._part_whole + share * share * self._whole_whole
        variance = max(0.0, departures) * self._calls / (self._calls - 1) / self._whole**2
        alone = share * (1 - share)
        effective = min(alone / variance, self._whole) if variance > 0 and alone > 0 else float(self._calls)
        return Bounds(share, *wilson(share, effective, confidence), self._calls)
