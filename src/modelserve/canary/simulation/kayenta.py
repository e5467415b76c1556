"""A judge as Kayenta's: the Mann-Whitney test on the minutes of both revisions.

After spinnaker/kayenta's ``MannWhitneyClassifier``: a metric is "High" where the lower end of the confidence
interval for its shift is above a quarter of the Hodges-Lehmann estimate of the shift. The confidence is 98%
there; here it is set by runs of equal canaries. The interval's ends are ordered differences of pairs, chosen
by the normal approximation, so that this is a matter of how many differences are below that quarter. It is
asked every five minutes, of all minutes so far.
"""

from __future__ import annotations

import numpy as np

from modelserve.canary.judge.odds import Floats

_TOLERANCE = 0.25
_EVERY_MINUTES = 5


def statistic(canary: Floats, stable: Floats) -> Floats:
    """How far the interval is above its bound, in standard deviations, by each minute.

    Args:
        canary: its metric by minute, more is worse, [runs, minutes].
        stable: likewise.
    """
    found = np.full(canary.shape, -np.inf)
    for minutes in range(_EVERY_MINUTES, canary.shape[1] + 1, _EVERY_MINUTES):
        pairs = canary[:, :minutes, None] - stable[:, None, :minutes]
        pairs = pairs.reshape(canary.shape[0], -1)
        shift = np.median(pairs, axis=1)
        above = (pairs > _TOLERANCE * shift[:, None]).sum(axis=1)
        deviation = minutes * np.sqrt((2 * minutes + 1) / 12)
        found[:, minutes - 1] = np.where(shift > 0, (above - minutes * minutes / 2) / deviation, -np.inf)
    return found
