"""Evidence for one revision's share of events being beyond another's that may be weighed at every look.

A look brings a table: the calls and the events of both revisions since the look before. Its likelihood ratio,
of one ratio of odds against a tolerated one, has a mean of at most 1 while the true ratio is within what is
tolerated, whatever came before; so has the product over looks, mixed over ratios beyond. By Ville's
inequality (1939) it ever reaches 1/alpha with a chance of at most alpha: an e-process (Ramdas et al. 2023,
"Game-theoretic statistics and safe anytime-valid inference"). Turner, Ly and Grünwald (2024, "Generic
e-variables for exact sequential k-sample tests that allow for optional stopping") build theirs on both
rates; this one is conditional on each look's totals, so that rates that both revisions share may change as
they like, and so may the traffic.

What is tolerated may differ from look to look as long as it is set by what was seen before the look. What is
assumed is that calls of one look are events independently of each other, with the odds of their revision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelserve.canary.judge.odds import FARTHEST, FARTHEST_NULL, STEP, Cumulants, Floats, Integers

_BEYOND = np.array([4, 8, 14, 24, 38, 62])
"""Steps beyond what is tolerated that are mixed, from 12% more odds to 6 times the odds."""

_PARTS_OF_LIMIT = np.array([0.0, 0.125, 0.25, 0.5])

_DIFFERENCES = np.array([0.003, 0.01, 0.03, 0.1, 0.3])
"""Beyond what is tolerated, of shares, that are mixed."""

_BOLDEST = 0.9
"""Of what is held, that no call may cost more than."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Increments of both revisions' counters; all arrays have the shape [..., looks].

    Attributes:
        calls: to the canary.
        events: of the canary's calls, at most as many.
        stable_calls: to the stable revision.
        stable_events: of those.
    """

    calls: Integers
    events: Integers
    stable_calls: Integers
    stable_events: Integers

    @property
    def both_events(self) -> Integers:
        """The events of both revisions."""
        return self.events + self.stable_events


def log_evidence(tables: Tables, nulls: Integers, weights: Floats, *, upward: bool) -> Floats:
    """The log of the evidence, after each look, that the canary's odds are beyond what is tolerated.

    Args:
        tables: of the looks.
        nulls: the tolerated ratios as indices of the grid, each set by what was seen before its look.
        weights: from 0 to 1, how much a call counts; 0 leaves a look out. Below 1 where several events are
            one observation: a root of an e-value is one too.
        upward: beyond is above; otherwise it is below.

    Returns:
        Of the tables' shape.
    """
    beyond = _BEYOND if upward else -_BEYOND
    nulls = np.where(weights > 0, nulls, 0)
    reached = np.clip(nulls[..., None] + beyond, -FARTHEST, FARTHEST)
    first, last = int(min(nulls.min(), reached.min())), int(max(nulls.max(), reached.max()))
    sums = Cumulants(tables.calls, tables.stable_calls, tables.both_events, first, last)
    gained = tables.events[..., None] * (STEP * (reached - nulls[..., None]))
    gained -= sums.at(reached) - sums.at(nulls[..., None])
    gained *= weights[..., None]
    return _mean_of_logs(np.cumsum(gained, axis=-2))


def log_evidence_below(calls: Integers, events: Integers, limits: Floats, weights: Floats) -> Floats:
    """The log of the evidence, after each look, that a revision's share of events is below limits.

    It is about one revision. Where neither has any event, the two are alike by comparison, however many calls
    there were; this knows that few events in many calls are a small share.

    Args:
        calls: of the revision, [..., looks].
        events: of those.
        limits: shares from 0 to 1, each set before its look.
        weights: as for ``log_evidence``.
    """
    limits = limits[..., None]
    bets = limits * _PARTS_OF_LIMIT
    with np.errstate(divide="ignore", invalid="ignore"):
        hits = np.where(events[..., None] > 0, events[..., None] * np.log(_PARTS_OF_LIMIT), 0.0)
        misses = (calls - events)[..., None] * (np.log1p(-bets) - np.log1p(-limits))
        # A look without calls says nothing, and neither does one that is left out.
        gained = np.where((weights * calls)[..., None] > 0, weights[..., None] * (hits + misses), 0.0)
    return _mean_of_logs(np.cumsum(gained, axis=-2))


def log_evidence_apart(tables: Tables, shares: Floats, tolerated: float, weights: Floats) -> Floats:
    """The log of the evidence, after each look, that the canary's share of events is too far above the other.

    It is about the difference of the shares, and needs no ratio: where the stable revision has no event, any
    number of the canary's is beyond every ratio, and proves ever less beyond the one that is tolerated.

    A bet of a on each of n calls of the canary's and of -a n / m on each of m of the stable revision's,
    around the shares p = q + tolerated and q, multiplies what is held by 1 + a (event - p) and by
    1 - a n / m (event - q). The log of the mean of their product is concave in the two true shares and 0 at p
    and q, where it rises in the direction alone in which their difference does: while that is at most what is
    tolerated the mean is at most 1, whatever the shares are, and whichever q was taken.

    Args:
        tables: of the looks.
        shares: of the stable revision, taken from before each look. They make the bet good, and no bet false.
        tolerated: the difference, from 0 to 1.
        weights: as for ``log_evidence``.
    """
    low = np.minimum(shares, 1 - tolerated)[..., None]
    high = low + tolerated
    calls, stable_calls = tables.calls[..., None], tables.stable_calls[..., None]
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        ratio = calls / stable_calls
        # What gains most where the difference is that of the mixture, as far as the calls of both allow.
        bets = _DIFFERENCES / (high * (1 - high) + ratio * low * (1 - low))
        bets = np.minimum(bets, _BOLDEST * np.minimum(1 / high, 1 / (ratio * (1 - low))))
        bets = np.where((weights[..., None] > 0) & (calls > 0) & (stable_calls > 0), bets, 0.0)
        against = np.where(bets > 0, bets * ratio, 0.0)
    gained = tables.events[..., None] * np.log1p(bets * (1 - high))
    gained += (tables.calls - tables.events)[..., None] * np.log1p(-bets * high)
    gained += tables.stable_events[..., None] * np.log1p(-against * (1 - low))
    gained += (tables.stable_calls - tables.stable_events)[..., None] * np.log1p(against * low)
    return _mean_of_logs(np.cumsum(weights[..., None] * gained, axis=-2))


def either(one: Floats, other: Floats) -> Floats:
    """The log of the evidence that both are evidence for: their mean, which is an e-process too."""
    return np.asarray(np.logaddexp(one, other) - math.log(2), np.float64)


def ratio_bounds(tables: Tables, weights: Floats, confidence: float) -> tuple[float, float]:
    """Between what the ratio of odds is, each bound at the confidence given, whenever one looks.

    They are what the evidence cannot refute of a ratio that stays the same, rounded outward to the grid.

    Args:
        tables: of one canary, [looks].
        weights: as for ``log_evidence``.
        confidence: of each bound.

    Returns:
        Lower and upper; 0 and infinity where there is none.
    """
    sums = Cumulants(tables.calls, tables.stable_calls, tables.both_events, -FARTHEST, FARTHEST).everywhere()
    indices = np.arange(-FARTHEST, FARTHEST + 1)
    logs = STEP * indices * (weights * tables.events).sum() - (weights[:, None] * sums).sum(axis=0)
    inner = np.arange(-FARTHEST_NULL, FARTHEST_NULL + 1)
    threshold = -math.log1p(-confidence)

    def refuted(beyond: Integers) -> Integers:
        reached = np.clip(inner[:, None] + beyond, -FARTHEST, FARTHEST) + FARTHEST
        evidence = _mean_of_logs(logs[reached] - logs[inner + FARTHEST][:, None])
        return np.asarray(inner[evidence >= threshold], np.int64)

    below, above = refuted(_BEYOND), refuted(-_BEYOND)
    lower = math.exp(STEP * below.max()) if below.size else 0.0
    upper = math.exp(STEP * above.min()) if above.size else math.inf
    return lower, upper


def _mean_of_logs(logs: Floats) -> Floats:
    """The log of the mean over the last axis; minus infinity where all are."""
    most = logs.max(axis=-1, keepdims=True)
    most = np.where(np.isfinite(most), most, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(logs - most).mean(axis=-1)) + most[..., 0], np.float64)
