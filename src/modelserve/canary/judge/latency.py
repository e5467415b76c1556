"""Latency by the buckets of a histogram: whether a quantile of the canary's is slower than is tolerated.

A quantile itself is not known from buckets; how many calls take longer than an edge is. A canary that is
slower by a factor has the share beyond an edge that the stable revision has beyond the edge divided by the
factor. On a scale of log odds over log time that share is close to a line between edges, so that a factor is
a ratio of odds: the factor to the power of the line's slope.

Of the edges the one is taken, before each look, that is nearest to the quantile by what the stable revision
did until then. Where it is far from the quantile the sentences say so by naming it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelserve.canary.judge.evidence import Tables, either, log_evidence, log_evidence_below
from modelserve.canary.judge.odds import Floats, Integers, index_above, index_below
from modelserve.canary.judge.policy import SlowdownLimits
from modelserve.canary.judge.weighing import Weighed, before

_LEAST_EVENTS = 5
"""With fewer on one side, a share says little of a slope, and a quantile is not known."""


@dataclass(frozen=True, slots=True)
class NearestEdge:
    """Before each look, the edge that is nearest to a quantile; all arrays have the shape [..., looks].

    Attributes:
        index: of the edge.
        slope: of the log odds of taking longer, downward, by the log of the time.
        share: that takes longer.
        known: 1 where enough calls were seen to tell, else 0.
    """

    index: Integers
    slope: Floats
    share: Floats
    known: Floats


def weigh_latency(canary: Integers, stable: Integers, edge: NearestEdge, limits: SlowdownLimits) -> Weighed:
    """Weigh whether a quantile is slower.

    Args:
        canary: calls by bucket in each look, [..., looks, edges + 1].
        stable: likewise.
        edge: that is nearest to the quantile.
        limits: of the quantile.
    """
    tables = beyond_edge(canary, stable, edge.index)
    limit = limits.limit**edge.slope
    limit_odds = limit * edge.share / (1 - edge.share)
    return Weighed(
        log_evidence(tables, index_above(limits.tolerated**edge.slope), edge.known, upward=True),
        either(
            log_evidence(tables, index_below(limit), edge.known, upward=False),
            log_evidence_below(tables.calls, tables.events, limit_odds / (1 + limit_odds), edge.known),
        ),
    )


def beyond_edge(canary: Integers, stable: Integers, edge: Integers) -> Tables:
    """The calls that took longer than an edge.

    Args:
        canary: calls by bucket, [..., looks, edges + 1].
        stable: likewise.
        edge: an index for each look, [..., looks].
    """
    return Tables(canary.sum(axis=-1), _beyond(canary, edge), stable.sum(axis=-1), _beyond(stable, edge))


def _beyond(buckets: Integers, edge: Integers) -> Integers:
    within = np.take_along_axis(np.cumsum(buckets, axis=-1), edge[..., None], -1)[..., 0]
    return np.asarray(buckets.sum(axis=-1) - within, np.int64)


def nearest_edge(stable: Integers, edges: Sequence[float], quantile: float) -> NearestEdge:
    """Find the edge that is nearest to a quantile of the latency, by what the stable revision did until then.

    Args:
        stable: calls by bucket in each look, [..., looks, edges + 1].
        edges: in seconds, ascending.
        quantile: of the latency.
    """
    past = before(stable, axis=-2)
    calls = past.sum(axis=-1, keepdims=True)
    beyond = calls - np.cumsum(past, axis=-1)[..., :-1]
    shares = (beyond + 0.5) / (calls + 1)
    log_odds = np.log(shares / (1 - shares))
    wanted = np.log((1 - quantile) / quantile)
    edge = np.abs(log_odds - wanted).argmin(axis=-1)[..., None]
    told = (beyond >= _LEAST_EVENTS) & (calls - beyond >= _LEAST_EVENTS)
    slope = np.take_along_axis(_slopes(log_odds, told, np.log(np.asarray(edges, np.float64))), edge, -1)
    known = calls * min(quantile, 1 - quantile) >= _LEAST_EVENTS
    share = np.take_along_axis(shares, edge, -1)
    return NearestEdge(edge[..., 0], slope[..., 0], share[..., 0], known[..., 0].astype(np.float64))


def _slopes(log_odds: Floats, told: Floats, log_edges: Floats) -> Floats:
    """At each edge, from the intervals beside it whose other ends tell something, or else from both."""
    if log_edges.size == 1:
        # One edge has no slope; at this one a factor is a ratio of odds.
        return np.ones(log_odds.shape)
    falls = -np.diff(log_odds, axis=-1) / np.diff(log_edges)
    nothing = np.zeros((*log_odds.shape[:-1], 1))
    there = np.ones((*log_odds.shape[:-1], log_edges.size - 1))
    sides = (
        (np.concatenate([nothing, falls], -1), np.concatenate([nothing, there * told[..., :-1]], -1)),
        (np.concatenate([falls, nothing], -1), np.concatenate([there * told[..., 1:], nothing], -1)),
    )
    counted = sides[0][1] + sides[1][1]
    mean = (sides[0][0] * sides[0][1] + sides[1][0] * sides[1][1]) / np.maximum(counted, 1)
    both = (sides[0][0] + sides[1][0]) / (1 + (np.arange(log_edges.size) % (log_edges.size - 1) > 0))
    return np.asarray(np.where(counted > 0, mean, both), np.float64)


def quantile_seconds(buckets: Integers, edges: Sequence[float], quantile: float) -> Floats:
    """A quantile by interpolation, as Prometheus's ``histogram_quantile``.

    Args:
        buckets: calls by bucket, [..., edges + 1].
        edges: in seconds, ascending.
        quantile: above 0, at most 1.

    Returns:
        Seconds, [...]; the last edge where it is beyond all, and 0 without calls.
    """
    heights = np.cumsum(buckets, axis=-1)
    wanted = quantile * heights[..., -1:]
    place = np.minimum((heights < wanted).sum(axis=-1, keepdims=True), len(edges) - 1)
    ends = np.array([0.0, *edges])
    heights = np.concatenate([np.zeros((*heights.shape[:-1], 1)), heights], axis=-1)
    low, high = (np.take_along_axis(heights, place + one, -1) for one in (0, 1))
    part = np.clip((wanted - low) / np.maximum(high - low, 1), 0.0, 1.0)
    return np.asarray((ends[place] + (ends[place + 1] - ends[place]) * part)[..., 0], np.float64)
