"""How long an idle engine waits for company before it computes what is there: pure arithmetic.

Waiting pays only for calls that are already in the process, being decoded: they are a moment away, while
a call that has not arrived may never come. An idle server, where no other call is in preparation, adds
nothing. Under load the wait is about as long as it takes for the next unit to arrive, which an average of
the recent gaps tells, and never longer than a bound.
"""

from __future__ import annotations

_WEIGHT = 0.2
"""Of the newest gap between arrivals in their moving average: about the last ten count."""


class Window:
    """The wait before a batch.

    Args:
        most_seconds: the longest wait, counted from the arrival of the batch's oldest unit.
    """

    def __init__(self, most_seconds: float) -> None:
        self._most = most_seconds
        self._last: float | None = None
        self._gap: float | None = None

    def arrived(self, now_seconds: float) -> None:
        """Note that units have arrived."""
        if self._last is not None:
            gap = max(0.0, now_seconds - self._last)
            self._gap = gap if self._gap is None else (1 - _WEIGHT) * self._gap + _WEIGHT * gap
        self._last = now_seconds

    def remaining(self, now_seconds: float, *, oldest_seconds: float, preparing: int) -> float:
        """Seconds to wait from now; 0 or less means: compute.

        Args:
            now_seconds: by the same clock as the arrivals.
            oldest_seconds: when the oldest waiting unit arrived.
            preparing: calls that are in the process and have no unit in the queue yet.
        """
        if preparing == 0 or self._gap is None or self._last is None or self._gap > self._most:
            return 0.0
        # Twice the average gap after the last arrival: by then a Poisson stream has gone on in 86%.
        until = min(self._last + 2 * self._gap, oldest_seconds + self._most)
        return until - now_seconds
