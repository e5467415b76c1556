"""The table: every scenario under the judge and, if asked, under the others with as many false alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from modelserve.canary.judge.odds import Floats, Integers
from modelserve.canary.judge.policy import Policy
from modelserve.canary.simulation import flagger, kayenta
from modelserve.canary.simulation.judged import judged
from modelserve.canary.simulation.metrics import by_minute, looks_a_minute
from modelserve.canary.simulation.outcomes import NEVER, Flags, Outcomes, first_look, threshold_for
from modelserve.canary.simulation.traffic import Drawn, Plan, Scenario, draw

_RUNS_AT_ONCE = 250

JUDGE, JUDGE_SET, FLAGGER, KAYENTA = "modelserve", "modelserve, set", "Flagger's rule", "Kayenta's judge"

_Statistic = Callable[[Floats, Floats], Floats]
_PEERS: Sequence[tuple[str, _Statistic]] = (
    (FLAGGER, lambda canary, _: flagger.statistic(canary)),
    (KAYENTA, kayenta.statistic),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario under one judge.

    Attributes:
        scenario: its name.
        judge: its name.
        outcomes: of the runs.
    """

    scenario: str
    judge: str
    outcomes: Outcomes


def simulate(
    scenarios: Sequence[Scenario], plan: Plan, policy: Policy, *, runs: int, seed: int, with_peers: bool
) -> Iterator[Row]:
    """Run scenarios.

    A canary with one thing wrong is judged by the checks that are for it, with their parts of alpha alone:
    the others could only find it sooner, by chance.

    Args:
        scenarios: who answers how.
        plan: the traffic.
        policy: of the judge.
        runs: of each scenario.
        seed: of all chance.
        with_peers: whether the other judges are run on the same data. The bound of each is set by other
            runs of equal canaries, so that its false alarms are what the judge gives the same checks; and
            to compare like with like, the judge is run once more with its bound set in the same way.
    """
    for index, scenario in enumerate(scenarios):
        checks = scenario.harms
        excess, requests, safe = _judged(scenario, plan, policy, checks, runs=runs, seeds=(seed, index))
        at = first_look(excess, 0.0)
        yield Row(scenario.name, JUDGE, Outcomes(at, requests, safe & (at == NEVER)))
        if with_peers and scenario.harms:
            equal = Scenario("equal", scenario.stable, scenario.stable)
            part = sum(
                alpha for check, alpha in policy.alphas().items() if check.startswith(tuple(scenario.harms))
            )
            before, _, _ = _judged(equal, plan, policy, checks, runs=runs, seeds=(seed, index, 1))
            at = first_look(excess, threshold_for(before, part))
            yield Row(scenario.name, JUDGE_SET, Outcomes(at, requests))
            yield from _peer_rows(scenario, equal, plan, part, runs=runs, seeds=(seed, index))


def _judged(
    scenario: Scenario, plan: Plan, policy: Policy, checks: Sequence[str], *, runs: int, seeds: Sequence[int]
) -> tuple[Floats, Integers, Flags]:
    """The excess of evidence and the canary's requests by look, and whether it is safe in the end."""
    excess, requests, safe = [], [], []
    for canary, stable in _draws(scenario, plan, runs, seeds):
        found = judged(canary, stable, checks, policy)
        excess.append(found.excess)
        safe.append(found.safe)
        requests.append(np.cumsum(canary.requests, axis=1))
    return np.concatenate(excess), np.concatenate(requests), np.concatenate(safe)


def _peer_rows(
    scenario: Scenario, equal: Scenario, plan: Plan, part: float, *, runs: int, seeds: tuple[int, int]
) -> Iterator[Row]:
    looks = looks_a_minute(plan.look_seconds)
    for kind in scenario.harms:
        before = _metrics(equal, kind, plan, runs, (*seeds, 1))
        after = _metrics(scenario, kind, plan, runs, seeds)
        for name, statistic in _PEERS:
            threshold = threshold_for(statistic(before[0], before[1]), part)
            minute = first_look(statistic(after[0], after[1]), threshold)
            at = np.where(minute == NEVER, NEVER, (minute + 1) * looks - 1)
            yield Row(scenario.name, name, Outcomes(at, after[2]))


def _metrics(
    scenario: Scenario, kind: str, plan: Plan, runs: int, seeds: Sequence[int]
) -> tuple[Floats, Floats, Integers]:
    """A metric of the canary and of the stable revision by minute, and the canary's requests so far."""
    canaries, stables, requests = [], [], []
    for canary, stable in _draws(scenario, plan, runs, seeds):
        canaries.append(by_minute(canary, kind, plan.look_seconds))
        stables.append(by_minute(stable, kind, plan.look_seconds))
        requests.append(np.cumsum(canary.requests, axis=1))
    return np.concatenate(canaries), np.concatenate(stables), np.concatenate(requests)


def _draws(scenario: Scenario, plan: Plan, runs: int, seeds: Sequence[int]) -> Iterator[tuple[Drawn, Drawn]]:
    chance = np.random.default_rng(seeds)
    for start in range(0, runs, _RUNS_AT_ONCE):
        yield draw(scenario, plan, min(_RUNS_AT_ONCE, runs - start), chance)
