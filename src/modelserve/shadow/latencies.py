"""Quantiles of latencies in memory that does not grow with the calls."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

_LEAST_SECONDS, _MOST_SECONDS = 1e-5, 1e4
_STEP = 1.02  # from one bucket to the next, so that a quantile is off by 1% at most
_BUCKETS = math.ceil(math.log(_MOST_SECONDS / _LEAST_SECONDS, _STEP))


class Latencies:
    """A histogram with buckets of equal width on a logarithmic scale.

    What is below 10 microseconds, or above 10,000 seconds, counts as that: by clocks of several machines an
    answer may even be older than its request.
    """

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * (_BUCKETS + 1)))
        self._total = 0

    def add(self, seconds: float) -> None:
        """Take the latency of a call."""
        inside = min(max(seconds, _LEAST_SECONDS), _MOST_SECONDS)
        self._counts[min(_BUCKETS, int(math.log(inside / _LEAST_SECONDS, _STEP)))] += 1
        self._total += 1

    def quantile(self, share: float) -> float:
        """The seconds that ``share`` of the calls did not exceed; NaN without any call."""
        return next((seconds for seconds, reached in self.distribution() if reached >= share), math.nan)

    def distribution(self) -> Iterator[tuple[float, float]]:
        """Seconds, and the share of calls that took no more, ascending, where there are calls."""
        so_far = 0
        for bucket, count in enumerate(self._counts):
            if count:
                so_far += count
                yield _LEAST_SECONDS * _STEP ** (bucket + 0.5), so_far / self._total
