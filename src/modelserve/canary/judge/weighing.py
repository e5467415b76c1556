"""Shares of events against limits: what is tolerated of a canary, in what evidence is about.

What is tolerated is a difference of shares, as people think of it, so that no amount of traffic makes much of
little. Evidence is mostly about ratios of odds, and the stable revision's share before each look makes one of
the other. A canary whose odds are the stable revision's is within every tolerance, whatever that share was
taken for: what is promised of it is exact. What is promised at the edge of the tolerance is as right as the
share. A ratio is of little use where the stable revision has next to no events, so that more of them are
weighed by their difference as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelserve.canary.judge.evidence import (
    Tables,
    either,
    log_evidence,
    log_evidence_apart,
    log_evidence_below,
)
from modelserve.canary.judge.odds import Floats, Integers, index_above, index_below
from modelserve.canary.judge.policy import ShareLimits

LEAST_KNOWN = 100
"""Calls to the stable revision before which its share is not known: such looks are left out."""

_ALMOST_ALL = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Weighed:
    """The logs of two kinds of evidence, after each look; both of the shape [..., looks].

    Attributes:
        harm: that the canary is beyond what is tolerated. It counts once it was ever great.
        safety: that it is within the limit. It counts as it is now.
    """

    harm: Floats
    safety: Floats


def before(counts: Integers, axis: int = -1) -> Integers:
    """What was counted before each look."""
    return np.asarray(np.cumsum(counts, axis=axis) - counts, np.int64)


def known_share(tables: Tables) -> tuple[Floats, Floats]:
    """The stable revision's share of events before each look, and 1 where it is known, else 0."""
    calls, events = before(tables.stable_calls), before(tables.stable_events)
    return (events + 0.5) / (calls + 1), (calls >= LEAST_KNOWN).astype(np.float64)


def weigh_more(tables: Tables, limits: ShareLimits, weights: Floats) -> Weighed:
    """Weigh events that a canary may not have more of: errors.

    Args:
        tables: of the looks.
        limits: for the difference of shares.
        weights: how much an event counts, from 0 to 1, of the tables' shape.
    """
    share, known = known_share(tables)
    weights = weights * known
    tolerated = index_above(_ratio(share, limits.tolerated))
    limit = index_below(_ratio(share, limits.limit))
    return Weighed(
        either(
            log_evidence(tables, tolerated, weights, upward=True),
            log_evidence_apart(tables, share, limits.tolerated, weights),
        ),
        either(
            log_evidence(tables, limit, weights, upward=False),
            # A share below the limit is less than the limit above any other.
            log_evidence_below(tables.calls, tables.events, np.full(share.shape, limits.limit), weights),
        ),
    )


def weigh_other(tables: Tables, limits: ShareLimits, weights: Floats) -> Weighed:
    """Weigh events that a canary may have neither more nor less of: a label.

    Args:
        tables: of the looks.
        limits: for the difference of shares.
        weights: how much an event counts, from 0 to 1, of the tables' shape.
    """
    more = weigh_more(tables, limits, weights)
    share, known = known_share(tables)
    weights = weights * known
    tolerated = index_below(_ratio(share, -limits.tolerated))
    limit = index_above(_ratio(share, -limits.limit))
    safe_below = log_evidence(tables, limit, weights, upward=True)
    # A share can't fall by more than it is.
    safe_below = np.where((share <= limits.limit) & (known > 0), np.inf, safe_below)
    return Weighed(
        either(more.harm, log_evidence(tables, tolerated, weights, upward=False)),
        np.minimum(more.safety, safe_below),
    )


def _ratio(share: Floats, difference: float) -> Floats:
    """The ratio of the odds of a share that differs to those of the share."""
    other = np.clip(share + difference, 0.0, _ALMOST_ALL)
    return np.asarray(other / (1 - other) * (1 - share) / share, np.float64)
