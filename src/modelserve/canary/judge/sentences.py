"""Findings of what was weighed: a verdict, and a sentence with the numbers that it rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelserve.canary.judge.evidence import Tables, ratio_bounds
from modelserve.canary.judge.odds import Floats, Integers
from modelserve.canary.judge.policy import ShareLimits, SlowdownLimits
from modelserve.canary.judge.verdicts import Finding, Verdict
from modelserve.canary.judge.weighing import Weighed


@dataclass(frozen=True, slots=True)
class Chances:
    """Of a check to be wrong.

    Attributes:
        harm: to call a tolerated canary worse, at any look.
        safety: to call one beyond the limit good enough.
    """

    harm: float
    safety: float


def verdict_of(weighed: Weighed, chances: Chances) -> Verdict:
    """Harm that was proven at any look stays proven; safety is as it is now."""
    if weighed.harm.max(initial=-math.inf) >= -math.log(chances.harm):
        return Verdict.FAIL
    if weighed.safety.size and weighed.safety[-1] >= -math.log(chances.safety):
        return Verdict.PASS
    return Verdict.INCONCLUSIVE


def share_finding(
    check: str,
    what: str,
    tables: Tables,
    weighed: Weighed,
    chances: Chances,
    *,
    weights: Floats,
    limits: ShareLimits,
) -> Finding:
    """Tell of a difference of shares.

    Args:
        check: its name.
        what: the sentence begins with, as ``errors``.
        tables: the calls and events that it is about.
        weighed: the evidence.
        chances: to be wrong.
        weights: how much an event counted in each look.
        limits: what was asked.
    """
    verdict = verdict_of(weighed, chances)
    told = f"{what}: {_counts(tables)}"
    if verdict is Verdict.FAIL:
        lower, upper = ratio_bounds(tables, weights, 1 - chances.harm)
        share = _share(tables.stable_events, tables.stable_calls)
        more, less = _moved(share, lower) - share, share - _moved(share, upper)
        # Bounds are rounded outward, while it is proven to be more than what is tolerated.
        at_least = max(more, less, limits.tolerated)
        return Finding(
            check,
            verdict,
            f"{told}; at least {_points(at_least)} {'fewer' if less > more else 'more'} with confidence "
            f"{1 - chances.harm:.4g}, and {_points(limits.tolerated)} are tolerated",
        )
    if verdict is Verdict.PASS:
        return Finding(
            check,
            verdict,
            f"{told}; less than {_points(limits.limit)} apart with confidence {1 - chances.safety:.4g}",
        )
    return Finding(
        check,
        verdict,
        f"{told}; that is too little to tell {_points(limits.tolerated)} from {_points(limits.limit)}",
    )


def slowdown_finding(
    weighed: Weighed,
    *,
    tables: Tables,
    edge_seconds: float,
    slope: float,
    quantiles: tuple[float | None, float | None],
    limits: SlowdownLimits,
    chances: Chances,
) -> Finding:
    """Tell of a slower quantile.

    Args:
        weighed: the evidence.
        tables: the calls beyond the edge that is compared now.
        edge_seconds: that edge.
        slope: of the log odds there.
        quantiles: of the canary and the stable revision, in seconds.
        limits: what was asked.
        chances: to be wrong.
    """
    verdict = verdict_of(weighed, chances)
    seconds = " against ".join("unknown" if one is None else f"about {one:.3g} s" for one in quantiles)
    beyond = f"longer than {edge_seconds:g} s took {_counts(tables)}"
    told = f"latency p{100 * limits.quantile:g}: {seconds}; {beyond}"
    if verdict is Verdict.FAIL:
        lower, _ = ratio_bounds(tables, np.ones(tables.calls.shape), 1 - chances.harm)
        factor = max(limits.tolerated, lower ** (1 / slope) if slope > 0 else 1.0)
        said = f"at least {factor - 1:.0%} slower with confidence {1 - chances.harm:.4g}, and "
        return Finding(limits.check, verdict, f"{told}; {said}{limits.tolerated - 1:.0%} are tolerated")
    if verdict is Verdict.PASS:
        said = f"less than {limits.limit - 1:.0%} slower with confidence {1 - chances.safety:.4g}"
        return Finding(limits.check, verdict, f"{told}; {said}")
    return Finding(
        limits.check,
        verdict,
        f"{told}; that is too little to tell {limits.tolerated - 1:.0%} from {limits.limit - 1:.0%}",
    )


def _counts(tables: Tables) -> str:
    return (
        f"{tables.events.sum():,} of {tables.calls.sum():,} against {tables.stable_events.sum():,} of "
        f"{tables.stable_calls.sum():,}"
    )


def _share(events: Integers, calls: Integers) -> float:
    return float((events.sum() + 0.5) / (calls.sum() + 1))


def _moved(share: float, ratio: float) -> float:
    """The share whose odds are a ratio of another's."""
    if math.isinf(ratio):
        return 1.0
    moved = ratio * share / (1 - share)
    return moved / (1 + moved)


def _points(difference: float) -> str:
    return f"{100 * difference:.2g} percentage points"
