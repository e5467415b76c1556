"""A rule as Flagger's: a metric of the canary each minute against a fixed threshold, until enough failed.

After fluxcd/flagger's documentation: ``thresholdRange`` bounds a metric over ``interval``, and the canary is
rolled back once ``threshold`` checks have failed. It looks at the canary alone. Here the bound is set by runs
of equal canaries, so that it has the false alarms that are asked for; a user would have to know it.
"""

from __future__ import annotations

import numpy as np

from modelserve.canary.judge.odds import Floats

FAILED_CHECKS = 5
"""The ``threshold`` of the documentation's example."""


def statistic(canary: Floats) -> Floats:
    """The bound at which the rule would roll back, by each minute: the fifth worst minute until then.

    Args:
        canary: its metric by minute, more is worse, [runs, minutes].
    """
    found = np.full(canary.shape, -np.inf)
    for minute in range(FAILED_CHECKS, canary.shape[1] + 1):
        found[:, minute - 1] = np.partition(canary[:, :minute], minute - FAILED_CHECKS, axis=1)[
            :, minute - FAILED_CHECKS
        ]
    return found
