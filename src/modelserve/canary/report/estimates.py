"""Shares and quantiles of both revisions, window by window, each with an interval of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelserve.canary.judge.latency import quantile_seconds
from modelserve.canary.judge.odds import Floats, Integers

_DEVIATIONS = 1.959964  # of the normal distribution, for 95%


@dataclass(frozen=True, slots=True)
class Estimates:
    """Of one revision, with the bounds of 95% intervals; all [windows], NaN where there were no calls."""

    value: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class Both:
    """One thing, of both revisions."""

    canary: Estimates
    stable: Estimates


def shares(events: Integers, calls: Integers) -> Estimates:
    """Shares with Wilson's (1927) score intervals, which hold for few events too.

    Args:
        events: [windows].
        calls: that they are of, [windows].
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.asarray(events / calls, np.float64)
    return Estimates(value, *_bounds(value, calls))


def quantiles(buckets: Integers, edges: Sequence[float], quantile: float) -> Estimates:
    """A quantile of the latency, interpolated in its bucket, as are the bounds.

    A bound is the quantile at a bound of the share: so many of the calls may be below the quantile by chance.

    Args:
        buckets: calls by bucket, [windows, edges + 1].
        edges: in seconds.
        quantile: above 0 and below 1.

    Returns:
        In seconds.
    """
    calls = buckets.sum(axis=-1)
    place = np.full(calls.shape, quantile)

    def at(places: Floats) -> Floats:
        found = [quantile_seconds(one, edges, place) for one, place in zip(buckets, places, strict=True)]
        return np.where(calls > 0, found, np.nan)

    lower, upper = _bounds(place, calls)
    return Estimates(at(place), at(lower), at(upper))


def _bounds(share: Floats, calls: Integers) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        shrink = 1 + _DEVIATIONS**2 / calls
        centre = (share + _DEVIATIONS**2 / (2 * calls)) / shrink
        half = _DEVIATIONS * np.sqrt(share * (1 - share) / calls + (_DEVIATIONS / (2 * calls)) ** 2) / shrink
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
