"""Pods that are read each in its own time, as Prometheus does, and looks that come more or less often."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.canary.judge.increments import Increments
from modelserve.canary.judge.judging import judge
from modelserve.canary.judge.measurements import Counters, Look
from modelserve.canary.judge.odds import Floats, Integers
from modelserve.canary.judge.pairing import LONGEST_SECONDS, beside, paired
from modelserve.canary.judge.policy import Policy, WarmUp
from modelserve.canary.judge.verdicts import Verdict

POLICY = Policy(latency=(), labels=None, confidence=None, warm_up=WarmUp(0.0, 0))
RUNS = 100
SECONDS = 900


@dataclass(frozen=True)
class Service:
    """Twenty calls a second, a quarter of them to the canary; 1% fail."""

    look_seconds: int = 10
    scrape_seconds: int = 15
    canary_ratio: float = 1.0
    outage_seconds: int = 0
    outage_share: float = 1.0

    def looks(self, seed: int) -> list[Look]:
        chance = np.random.default_rng(seed)
        share = np.full(SECONDS, 0.01)
        start = chance.integers(200, 600)
        share[start : start + self.outage_seconds] = self.outage_share
        canary = self._scraped(5.0, np.minimum(1.0, share * self.canary_ratio), chance)
        stable = self._scraped(15.0, share, chance)
        times = range(self.scrape_seconds, SECONDS + 1, self.look_seconds)
        return [Look(at, {"c": canary[at]}, {"s": stable[at]}) for at in times]

    def _scraped(self, calls: float, shares: Floats, chance: np.random.Generator) -> list[Counters]:
        """A pod's counters, as of its last reading at each second."""
        requests = chance.poisson(calls, SECONDS)
        errors = chance.binomial(requests, shares)
        totals = [np.concatenate([[0], counts.cumsum()]) for counts in (requests, errors)]
        offset = int(chance.integers(self.scrape_seconds))
        at = np.arange(SECONDS + 1)
        read = np.maximum(at - (at - offset) % self.scrape_seconds, 0)
        return [Counters(int(one), int(other)) for one, other in zip(*(t[read] for t in totals), strict=True)]


def verdicts(service: Service) -> list[Verdict]:
    return [judge(service.looks(seed), POLICY).verdict for seed in range(RUNS)]


@pytest.mark.parametrize("look_seconds", [2, 10, 30])
def test_a_bad_canary_is_found_whenever_one_looks(look_seconds: int) -> None:
    found = verdicts(Service(look_seconds=look_seconds, canary_ratio=5.0))
    assert set(found) == {Verdict.FAIL}


def test_a_bad_canary_is_found_where_pods_are_read_every_minute() -> None:
    assert set(verdicts(Service(scrape_seconds=60, canary_ratio=10.0))) == {Verdict.FAIL}


@pytest.mark.parametrize("look_seconds", [2, 10, 30])
@pytest.mark.parametrize(
    ("outage_seconds", "outage_share"), [(0, 0.0), (5, 1.0), (10, 1.0), (60, 1.0), (60, 0.2), (300, 0.05)]
)
def test_an_outage_of_both_is_not_the_canarys(
    look_seconds: int, outage_seconds: int, outage_share: float
) -> None:
    """It is in the readings of one revision up to 15 s before it is in those of the other."""
    service = Service(look_seconds, outage_seconds=outage_seconds, outage_share=outage_share)
    assert verdicts(service).count(Verdict.FAIL) <= 4  # alpha is 1%; three standard deviations


def test_an_equal_canary_passes_between_readings() -> None:
    assert verdicts(Service(look_seconds=2)).count(Verdict.PASS) > RUNS / 2


def counted(canary: Integers, stable: Integers) -> Increments:
    none = np.zeros((len(canary), 0), np.int64)
    return Increments((canary, stable), (canary // 2, stable // 3), None, (), none, none, None)


calls_of_looks = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(calls_of_looks, st.floats(1.0, 50.0))
def test_looks_put_together_lose_nothing_and_never_change(
    calls: list[tuple[int, int]], apart_seconds: float
) -> None:
    canary, stable = np.array(calls, np.int64).T
    times = [apart_seconds * look for look in range(len(calls) + 1)]
    found = paired(counted(canary, stable), times)
    for before, after in zip(
        (canary, stable, canary // 2, stable // 3), (*found.requests, *found.errors), strict=True
    ):
        assert before.sum() == after.sum()
    # All but the last are of both, or waited long enough; and stay what they were once they were complete.
    for one, other in zip(*(requests[:-1] for requests in found.requests), strict=True):
        assert (one and other) or apart_seconds * len(calls) >= LONGEST_SECONDS
    fewer = len(calls) // 2 + 1
    earlier = paired(counted(canary[:fewer], stable[:fewer]), times[: fewer + 1])
    complete = len(earlier.requests[0]) - 1
    assert earlier.requests[0][:complete].tolist() == found.requests[0][:complete].tolist()
    assert earlier.requests[1][:complete].tolist() == found.requests[1][:complete].tolist()


def test_a_revision_without_calls_is_not_waited_for_longer() -> None:
    stable = np.full(30, 7, np.int64)
    canary = np.where(np.arange(30) == 20, 5, 0)
    found = paired(counted(canary, stable), [10.0 * look for look in range(31)])
    assert found.requests[0].tolist() == [0, 0, 5, 0]
    assert found.requests[1].tolist() == [63, 63, 21, 63]


@pytest.mark.parametrize(("offset", "expected"), [(-1, [0, 1, 2]), (1, [2, 3, 0])])
def test_what_the_stable_revision_did_a_look_away(offset: int, expected: list[int]) -> None:
    numbers = np.array([1, 2, 3], np.int64)
    labels = np.stack([numbers, 10 * numbers], axis=-1)
    found = replace(counted(numbers, numbers), labels=("a", "b"), canary_labels=labels, stable_labels=labels)
    moved = beside(found, offset)
    assert moved.requests[0].tolist() == [1, 2, 3]
    assert moved.requests[1].tolist() == expected
    assert moved.stable_labels[:, 1].tolist() == [10 * one for one in expected]
    assert moved.canary_labels[:, 1].tolist() == [10, 20, 30]


def test_a_look_that_finds_nothing_new_is_no_evidence() -> None:
    """Harm that was proven stays so however often one looks before the next reading."""
    looks = Service(canary_ratio=10.0).looks(1)
    once, again = (judge(seen, POLICY) for seen in (looks, [*looks, replace(looks[-1], at_seconds=1e6)]))
    assert once.verdict is Verdict.FAIL
    assert once == again
