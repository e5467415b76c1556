"""What other judges look at: one number a minute for each revision, as dashboards show it."""

from __future__ import annotations

import numpy as np

from modelserve.canary.judge.latency import quantile_seconds
from modelserve.canary.judge.odds import Floats, Integers
from modelserve.canary.simulation.traffic import Drawn
from modelserve.telemetry.buckets import SECONDS

MINUTE_SECONDS = 60.0


def by_minute(drawn: Drawn, kind: str, look_seconds: float) -> Floats:
    """A metric of each minute, [runs, minutes]; more is worse.

    Args:
        drawn: what the revision did.
        kind: ``errors`` for their share, ``latency`` for its p95 in seconds, or ``labels`` for the share of
            the first one, which is the one that goes missing, negated.
        look_seconds: from one look to the next.
    """
    looks = looks_a_minute(look_seconds)
    requests = _minutes(drawn.requests[..., None], looks)[..., 0]
    least = np.maximum(requests, 1)
    if kind == "errors":
        return np.asarray(_minutes(drawn.errors[..., None], looks)[..., 0] / least, np.float64)
    if kind == "labels":
        return np.asarray(-_minutes(drawn.labels[..., :1], looks)[..., 0] / least, np.float64)
    return quantile_seconds(_minutes(drawn.seconds, looks), SECONDS, 0.95)


def looks_a_minute(look_seconds: float) -> int:
    """How many looks a minute has; at least one."""
    return max(1, round(MINUTE_SECONDS / look_seconds))


def _minutes(counts: Integers, looks: int) -> Integers:
    whole = counts.shape[1] // looks
    cut = counts[:, : whole * looks]
    return np.asarray(cut.reshape(counts.shape[0], whole, looks, -1).sum(axis=2), np.int64)
