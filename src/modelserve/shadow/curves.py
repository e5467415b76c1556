"""What the report's pictures are drawn from, as it was at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelserve.shadow.bounds import Bounds
from modelserve.shadow.results import Results


@dataclass(frozen=True, slots=True)
class Curves:
    """Drawing takes a second, in which further calls may be counted: this stands still.

    Attributes:
        disagreement: the bounds after more and more calls.
        logged: seconds, and the share of calls that took no more, ascending; none without any call.
        replayed: likewise, of the new answers.
    """

    disagreement: Sequence[Bounds]
    logged: Sequence[tuple[float, float]]
    replayed: Sequence[tuple[float, float]]

    @classmethod
    def of(cls, results: Results) -> Curves:
        """Those of a comparison as it is now."""
        return cls(
            results.history.points(results.disagreement.bounds()),
            list(results.logged_latencies.distribution()),
            list(results.replayed_latencies.distribution()),
        )
