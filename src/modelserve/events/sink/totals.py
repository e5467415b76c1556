"""From totals, as a joiner keeps them, to counts of what ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping


class Totals:
    """Counts by how much totals have grown.

    Args:
        count: told of outcomes and how many events had them, as ``SinkMetrics.count`` is.
    """

    def __init__(self, count: Callable[[str, int], None]) -> None:
        self._count = count
        self._counted: Counter[str] = Counter()

    def tell(self, totals: Mapping[str, int]) -> None:
        """Count what has ended since the last time.

        Args:
            totals: of all that has ended, by outcome; they do not fall.
        """
        for outcome, total in totals.items():
            if more := total - self._counted[outcome]:
                self._count(outcome, more)
                self._counted[outcome] = total
