"""Canaries that never were: what two revisions would be measured to do under a plan of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from modelserve.canary.judge.odds import Floats, Integers
from modelserve.telemetry.buckets import SCORES, SECONDS

_UNREST_STEP = 0.02  # of the logarithm: factors are drawn in steps of 2%
_MOST_UNREST = 150


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the plan: so much of the traffic for so long."""

    percent: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Traffic, how it is moved to the canary, and how often somebody looks.

    Attributes:
        requests_per_second: of both revisions together; they come as a Poisson process.
        steps: one after the other, each for all its time.
        look_seconds: from one look to the next.
        unrest: of what both revisions share, as a database or a neighbour: the standard deviation of the
            logarithm of a factor that is drawn for each minute, for errors and latency of both.
    """

    requests_per_second: float = 10.0
    steps: Sequence[Step] = (Step(10, 1200), Step(25, 1200), Step(50, 1200))
    look_seconds: float = 10.0
    unrest: float = 0.0

    def shares(self) -> Floats:
        """The canary's share of the traffic before each look."""
        return np.concatenate(
            [
                np.full(max(1, round(step.seconds / self.look_seconds)), step.percent / 100)
                for step in self.steps
            ]
        )


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a revision answers.

    Attributes:
        error_share: of its requests.
        median_seconds: of its latency, which is log-normal.
        spread: the standard deviation of the latency's logarithm.
        labels: equally frequent ones, one for a request.
        lost_labels: how many of them it never says.
    """

    error_share: float = 0.01
    median_seconds: float = 0.08
    spread: float = 0.6
    labels: int = 10
    lost_labels: int = 0

    def seconds_shares(self, factor: float) -> Floats:
        """The shares of requests by the server's buckets of latency, when it is so many times what it is."""
        normal = NormalDist()
        median = self.median_seconds * factor
        below = [normal.cdf(np.log(edge / median) / self.spread) for edge in SECONDS]
        return np.diff(np.array([0.0, *below, 1.0]))

    def label_shares(self) -> Floats:
        """The shares of predictions by label."""
        said = (np.arange(self.labels) >= self.lost_labels).astype(np.float64)
        return np.asarray(said / said.sum(), np.float64)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A canary beside the stable revision.

    Attributes:
        name: for people.
        canary: how it answers.
        stable: how the revision answers that it is compared with.
        harms: the checks that are for what is wrong with it; empty where nothing is.
    """

    name: str
    canary: Behaviour
    stable: Behaviour
    harms: Sequence[str] = ()


def scenarios(stable: Behaviour, *, error_ratio: float, slowdown: float) -> list[Scenario]:
    """An equal canary, and three that are worse in one way each.

    Args:
        stable: how the stable revision answers.
        error_ratio: of the error shares, of a canary that fails more.
        slowdown: of the whole latency, and so of every quantile, of a slower one.
    """
    return [
        Scenario("equal", stable, stable),
        Scenario(
            f"errors times {error_ratio:g}",
            replace(stable, error_share=min(1.0, stable.error_share * error_ratio)),
            stable,
            ("errors",),
        ),
        Scenario(
            f"p95 times {slowdown:g}",
            replace(stable, median_seconds=stable.median_seconds * slowdown),
            stable,
            ("latency",),
        ),
        Scenario(f"1 of {stable.labels} labels gone", replace(stable, lost_labels=1), stable, ("labels",)),
    ]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one revision is measured to do in each look of each run.

    Attributes:
        requests: [runs, looks].
        errors: [runs, looks].
        seconds: requests by bucket, [runs, looks, edges + 1].
        labels: predictions by label, [runs, looks, labels].
        scores: predictions by bucket of their score, [runs, looks, edges + 1].
    """

    requests: Integers
    errors: Integers
    seconds: Integers
    labels: Integers
    scores: Integers


def draw(scenario: Scenario, plan: Plan, runs: int, chance: np.random.Generator) -> tuple[Drawn, Drawn]:
    """Draw runs of a canary and its stable revision.

    Args:
        scenario: who answers how.
        plan: the traffic.
        runs: how many.
        chance: the generator.
    """
    each_look = plan.requests_per_second * plan.look_seconds
    shares = plan.shares()
    minutes = np.arange(shares.size) * plan.look_seconds // 60
    unrest = plan.unrest * chance.standard_normal((runs, int(minutes[-1]) + 1))
    steps = np.clip(np.rint(unrest / _UNREST_STEP), -_MOST_UNREST, _MOST_UNREST).astype(np.int64)
    shared = steps[:, minutes.astype(np.int64)]
    return (
        _draw(scenario.canary, each_look * shares, shared, chance),
        _draw(scenario.stable, each_look * (1 - shares), shared, chance),
    )


def _draw(behaviour: Behaviour, means: Floats, shared: Integers, chance: np.random.Generator) -> Drawn:
    requests = chance.poisson(means, shared.shape)
    factors = np.exp(_UNREST_STEP * np.arange(-_MOST_UNREST, _MOST_UNREST + 1))
    seconds = np.array([behaviour.seconds_shares(factor) for factor in factors])
    error_shares = np.minimum(1.0, behaviour.error_share * factors)
    buckets = len(SCORES) + 1
    return Drawn(
        requests,
        chance.binomial(requests, error_shares[shared + _MOST_UNREST]),
        chance.multinomial(requests, seconds[shared + _MOST_UNREST]),
        chance.multinomial(requests, behaviour.label_shares()),
        chance.multinomial(requests, np.full(buckets, 1 / buckets)),
    )
