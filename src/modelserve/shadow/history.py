"""How the bounds narrowed as calls came, in points whose number does not grow."""

from __future__ import annotations

from collections.abc import Sequence

from modelserve.shadow.bounds import Bounds

_MOST_POINTS = 400


class History:
    """Every call's bounds at first; of longer runs every second, every fourth and so on."""

    def __init__(self) -> None:
        self._points: list[Bounds] = []
        self._stride = 1

    def is_due(self, count: int) -> bool:
        """Whether the bounds after so many calls are a point."""
        return count % self._stride == 0

    def add(self, bounds: Bounds) -> None:
        """Take a point that is due."""
        self._points.append(bounds)
        if len(self._points) >= _MOST_POINTS:
            self._stride *= 2
            self._points = [point for point in self._points if self.is_due(point.count)]

    def points(self, last: Bounds) -> Sequence[Bounds]:
        """All of them, and the last, ascending by their counts."""
        return [*(point for point in self._points if point.count < last.count), last]
