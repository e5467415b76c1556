"""Runs as the judge judges them: the same evidence and the same bounds, for many runs at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from modelserve.canary.judge.checks import weigh_checks
from modelserve.canary.judge.increments import Buckets, Increments
from modelserve.canary.judge.odds import Floats
from modelserve.canary.judge.policy import Policy
from modelserve.canary.simulation.outcomes import Flags
from modelserve.canary.simulation.traffic import Drawn
from modelserve.telemetry.buckets import SCORES, SECONDS


@dataclass(frozen=True, slots=True)
class Judged:
    """Runs under the judge.

    Attributes:
        excess: how far the log of the evidence of the check that has most is above what its part of alpha
            asks for, by each look, [runs, looks].
        safe: whether all checks pass at the last look, [runs].
    """

    excess: Floats
    safe: Flags


def judged(canary: Drawn, stable: Drawn, checks: Sequence[str], policy: Policy) -> Judged:
    """Judge runs at every look.

    Args:
        canary: what it did.
        stable: what the stable revision did.
        checks: the kinds that are asked; empty for all.
        policy: of the judge.
    """
    alphas = policy.alphas()
    excess = np.full(canary.requests.shape, -np.inf)
    safe = canary.requests.sum(axis=1) >= policy.least_requests
    for check in weigh_checks(_side_by_side(canary, stable), _asked(policy, checks)):
        excess = np.maximum(excess, check.weighed.harm + math.log(alphas[check.name]))
        safe &= check.weighed.safety[:, -1] >= -math.log(policy.pass_error)
    return Judged(excess, safe)


def _asked(policy: Policy, checks: Sequence[str]) -> Policy:
    """Without the checks of other kinds; their parts of alpha are those of the whole policy."""
    if not checks:
        return policy
    return replace(
        policy,
        errors=policy.errors if "errors" in checks else None,
        latency=policy.latency if "latency" in checks else (),
        labels=policy.labels if "labels" in checks else None,
        confidence=policy.confidence if "confidence" in checks else None,
    )


def _side_by_side(canary: Drawn, stable: Drawn) -> Increments:
    return Increments(
        (canary.requests, stable.requests),
        (canary.errors, stable.errors),
        Buckets(SECONDS, canary.seconds, stable.seconds),
        tuple(f"label{number}" for number in range(canary.labels.shape[-1])),
        canary.labels,
        stable.labels,
        Buckets(SCORES, canary.scores, stable.scores),
    )
