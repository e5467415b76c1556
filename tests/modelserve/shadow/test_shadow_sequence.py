"""Bounds that hold at every look: what they promise, and how soon they tell."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest

from modelserve.shadow.bounds import Bounds
from modelserve.shadow.sequence import ShareSequence
from modelserve.shadow.verdicts import Criteria, Outcome, decide

RUNS, MOST_CALLS, EVERY = 200, 2000, 25
CRITERIA, NO_VERDICT = Criteria(), Outcome.NO_VERDICT
NONE_FAILED = Bounds(0.0, 0.0, 0.0, MOST_CALLS)


def changed(share: float, seed: int) -> Iterable[float]:
    """Whether the answers to one text after the other differ."""
    chance = random.Random(seed)
    return (float(chance.random() < share) for _ in range(MOST_CALLS))


def changed_in_batches(share: float, seed: int) -> Iterable[float]:
    """The shares of calls with 1 to 8 texts each, which differ together more often than alone."""
    chance = random.Random(seed)
    for _ in range(MOST_CALLS):
        own = 5 * share if chance.random() < 0.2 else 0.0
        items = chance.randint(1, 8)
        yield sum(chance.random() < own for _ in range(items)) / items


def outcomes(observations: Iterable[float]) -> Iterable[tuple[int, Outcome]]:
    """What is said of a shadow whenever somebody looks."""
    sequence = ShareSequence(CRITERIA.confidence)
    for count, observation in enumerate(observations, 1):
        sequence.add(observation)
        if count % EVERY == 0:
            yield count, decide(sequence.bounds(), NONE_FAILED, CRITERIA).outcome


@pytest.mark.parametrize("observe", [changed, changed_in_batches])
def test_five_percent_of_changed_labels_is_told_in_fewer_than_2000_calls(
    observe: Callable[[float, int], Iterable[float]],
) -> None:
    told = 0
    for seed in range(RUNS):
        first = next(
            (outcome for _, outcome in outcomes(observe(0.05, seed)) if outcome is not NO_VERDICT), None
        )
        assert first is not Outcome.AGREES
        told += first is Outcome.DISAGREES
    assert told >= 0.99 * RUNS


@pytest.mark.parametrize("share", [0.0, 0.005, 0.01])
def test_what_is_tolerated_is_not_called_a_disagreement_at_any_look(share: float) -> None:
    """At the tolerance itself as well, which is the hardest: alpha is 5%."""
    wrong = sum(
        any(outcome is Outcome.DISAGREES for _, outcome in outcomes(changed(share, seed)))
        for seed in range(RUNS)
    )
    assert wrong <= 0.05 * RUNS


@pytest.mark.parametrize(("share", "calls"), [(0.0, 300), (0.005, 1000)])
def test_a_shadow_of_the_same_model_soon_agrees(share: float, calls: int) -> None:
    agreed = sum(
        any(outcome is Outcome.AGREES and count <= calls for count, outcome in outcomes(changed(share, seed)))
        for seed in range(RUNS)
    )
    assert agreed >= 0.95 * RUNS


@pytest.mark.parametrize("observe", [changed, changed_in_batches])
def test_the_bounds_hold_at_all_looks_together(observe: Callable[[float, int], Iterable[float]]) -> None:
    missed = 0
    for seed in range(RUNS):
        sequence = ShareSequence(0.95)
        is_missed = False
        for count, observation in enumerate(observe(0.1, seed), 1):
            sequence.add(observation)
            if count % EVERY == 0:
                bounds = sequence.bounds()
                is_missed = is_missed or not bounds.lower <= 0.1 <= bounds.upper
        missed += is_missed
    assert missed <= 0.05 * RUNS


def test_nothing_is_known_without_a_call() -> None:
    assert ShareSequence(0.95).bounds() == Bounds(0.0, 0.0, 1.0, 0)


def test_the_ends_of_the_scale() -> None:
    none, all_ = ShareSequence(0.95), ShareSequence(0.95)
    for _ in range(300):
        none.add(0.0)
        all_.add(1.0)
    assert none.bounds().lower == 0.0
    assert all_.bounds().upper == 1.0
    # Of 300 calls that agree: B(1/2, 300 + 1/2) / B(1/2, 1/2) = 20 ** -1 * (1 - p) ** 300.
    assert none.bounds().upper == pytest.approx(0.0212, abs=5e-5)
    assert all_.bounds().lower == pytest.approx(1 - none.bounds().upper)
