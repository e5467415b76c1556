"""A bound on how often a shadow is called, so that it takes no more of the cluster than it is given."""

from __future__ import annotations


class TokenBucket:
    """So many calls per second on average, and as many at once. Nothing here reads a clock.

    Args:
        per_second: calls; above 0.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second)
        self._tokens = self._most
        self._at: float | None = None

    def take(self, *, now: float) -> bool:
        """Whether a call may be made now; if so, it counts as made.

        Args:
            now: seconds by any clock that does not go back, the same for every call of this bucket.
        """
        self._fill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def reserve(self, *, now: float) -> float:
        """Count a call as made; the seconds to wait before it is."""
        self._fill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._per_second)

    def _fill(self, now: float) -> None:
        if self._at is not None:
            self._tokens = min(self._most, self._tokens + (now - self._at) * self._per_second)
        self._at = now
