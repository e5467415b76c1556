"""What a policy asks of two revisions' counters, check by check, weighed alike for a canary and for many.

Shadow and drift are judged elsewhere, by counts of their own: ``model_checks`` has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from modelserve.canary.judge.evidence import Tables
from modelserve.canary.judge.increments import Increments
from modelserve.canary.judge.latency import beyond_edge, nearest_edge, quantile_seconds, weigh_latency
from modelserve.canary.judge.pairing import beside
from modelserve.canary.judge.policy import Policy, ShareLimits, SlowdownLimits
from modelserve.canary.judge.predictions import middle_edge, prediction_weights, weigh_labels
from modelserve.canary.judge.sentences import Chances, share_finding, slowdown_finding, verdict_of
from modelserve.canary.judge.verdicts import Finding, Verdict
from modelserve.canary.judge.weighing import Weighed, weigh_more, weigh_other


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a policy, weighed.

    Attributes:
        name: as the policy's ``alphas`` have it.
        weighed: the evidence after each look.
        tell: what the evidence comes to by the chances of being wrong; of one canary only.
    """

    name: str
    weighed: Weighed
    tell: Callable[[Weighed, Chances], Finding]


def weigh_checks(found: Increments, policy: Policy) -> Iterator[Check]:
    """Weigh what is asked.

    Harm has to hold beside what the stable revision did one look before and one look after, too: what both
    revisions have is in the readings of one of them first. So it is told a look late.

    Args:
        found: what both revisions did, of one canary or of several.
        policy: what is asked.
    """
    every = (_weigh(found, policy), *(_weigh(beside(found, offset), policy) for offset in (-1, 1)))
    for check, earlier, later in zip(*every, strict=True):
        # What it is beside the next look is known with that look.
        late = np.roll(later.weighed.harm, 1, axis=-1)
        late[..., 0] = -np.inf
        harm = np.minimum(np.minimum(check.weighed.harm, earlier.weighed.harm), late)
        yield replace(check, weighed=replace(check.weighed, harm=harm))


def _weigh(found: Increments, policy: Policy) -> Iterator[Check]:
    """Weigh what is asked, look by look."""
    if policy.errors is not None:
        yield _errors(found, policy.errors)
    for limits in policy.latency:
        yield _latency(found, limits)
    if policy.labels is not None:
        yield _labels(found, policy.labels)
    if policy.confidence is not None:
        yield _confidence(found, policy.confidence)


def _errors(found: Increments, limits: ShareLimits) -> Check:
    tables = Tables(found.requests[0], found.errors[0], found.requests[1], found.errors[1])
    weights = np.ones(tables.calls.shape)
    weighed = weigh_more(tables, limits, weights)
    tell = partial(share_finding, "errors", "errors", tables, weights=weights, limits=limits)
    return Check("errors", weighed, tell)


def _latency(found: Increments, limits: SlowdownLimits) -> Check:
    if found.seconds is None:
        return _unmeasured(limits.check, "latencies", found)
    canary, stable, edges = found.seconds.canary, found.seconds.stable, found.seconds.edges
    edge = nearest_edge(stable, edges, limits.quantile)
    weighed = weigh_latency(canary, stable, edge, limits)

    def tell(weighed: Weighed, chances: Chances) -> Finding:
        canary_seconds, stable_seconds = (
            float(quantile_seconds(calls, edges, limits.quantile)) if calls.any() else None
            for calls in (canary.sum(axis=0), stable.sum(axis=0))
        )
        return slowdown_finding(
            weighed,
            tables=beyond_edge(canary, stable, np.full_like(edge.index, edge.index[-1])),
            edge_seconds=edges[edge.index[-1]],
            slope=float(edge.slope[-1]),
            quantiles=(canary_seconds, stable_seconds),
            limits=limits,
            chances=chances,
        )

    return Check(limits.check, weighed, tell)


def _labels(found: Increments, limits: ShareLimits) -> Check:
    canary, stable = found.canary_labels, found.stable_labels
    if not canary.sum() or not stable.sum():
        return _unmeasured("labels", "predictions of both revisions", found)
    calls, stable_calls = canary.sum(axis=-1), stable.sum(axis=-1)
    weights = prediction_weights(found.requests[0] + found.requests[1], calls + stable_calls)
    weighed = weigh_labels(canary, stable, weights, limits)

    def tell(weighed: Weighed, chances: Chances) -> Finding:
        moved = np.abs(canary.sum(axis=0) / calls.sum() - stable.sum(axis=0) / stable_calls.sum())
        index = int(moved.argmax())
        name = found.labels[index]
        is_harm = verdict_of(weighed, chances) is Verdict.FAIL
        what = f"label {name}" if is_harm else f"labels, of which {name} moved most"
        tables = Tables(calls, canary[:, index], stable_calls, stable[:, index])
        return share_finding("labels", what, tables, weighed, chances, weights=weights, limits=limits)

    return Check("labels", weighed, tell)


def _confidence(found: Increments, limits: ShareLimits) -> Check:
    """The share of the scores above the stable revision's median."""
    if found.confidence is None or not found.confidence.canary.sum():
        return _unmeasured("confidence", "scores", found)
    canary, stable, edges = found.confidence.canary, found.confidence.stable, found.confidence.edges
    predictions = canary.sum(axis=-1) + stable.sum(axis=-1)
    weights = prediction_weights(found.requests[0] + found.requests[1], predictions)
    edge = middle_edge(stable)
    weighed = weigh_other(beyond_edge(canary, stable, edge), limits, weights)

    def tell(weighed: Weighed, chances: Chances) -> Finding:
        tables = beyond_edge(canary, stable, np.full_like(edge, edge[-1]))
        what = f"scores above {edges[edge[-1]]:g}"
        return share_finding("confidence", what, tables, weighed, chances, weights=weights, limits=limits)

    return Check("confidence", weighed, tell)


def _unmeasured(name: str, what: str, found: Increments) -> Check:
    """Evidence of nothing."""
    nothing = np.full(found.requests[0].shape, -np.inf)
    finding = Finding(name, Verdict.INCONCLUSIVE, f"{name}: no {what} were measured")
    return Check(name, Weighed(nothing, nothing), lambda *_: finding)
