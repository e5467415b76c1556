"""What became of many runs of one scenario under one judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelserve.canary.judge.odds import Floats, Integers

NEVER = -1

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """When canaries were rolled back, and what they had been sent by then.

    Attributes:
        rolled_back_at: the look, of each run; ``NEVER`` where it was not.
        requests: to the canary up to each look, [runs, looks].
        passed: by the plan's end; None of judges that know no such thing.
    """

    rolled_back_at: Integers
    requests: Integers
    passed: Flags | None = None

    @property
    def requests_until(self) -> Floats:
        """Requests to the canary until it was rolled back, of each run; infinity where it was not."""
        runs = np.arange(self.rolled_back_at.size)
        until = self.requests[runs, self.rolled_back_at].astype(np.float64)
        return np.where(self.rolled_back_at == NEVER, np.inf, until)

    @property
    def looks_until(self) -> Floats:
        """Looks until it was rolled back, of each run; infinity where it was not."""
        return np.where(self.rolled_back_at == NEVER, np.inf, self.rolled_back_at + 1.0)

    @property
    def rolled_back(self) -> float:
        """The share of runs."""
        return float((self.rolled_back_at != NEVER).mean())


def first_look(statistic: Floats, threshold: float) -> Integers:
    """The first look of each run at which a statistic is at least its threshold, or ``NEVER``.

    Args:
        statistic: [runs, looks].
        threshold: of it.
    """
    reached = statistic >= threshold
    return np.where(reached.any(axis=1), reached.argmax(axis=1), NEVER)


def threshold_for(statistic: Floats, false_alarms: float) -> float:
    """What a statistic of equal canaries ever reaches in a share of the runs: a bound made after the fact.

    Args:
        statistic: [runs, looks], of equal canaries.
        false_alarms: the share.
    """
    # Half a float above, as a look that just reaches it counts.
    return float(np.nextafter(np.quantile(statistic.max(axis=1), 1 - false_alarms), np.inf))
