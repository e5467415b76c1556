"""Before a canary has its first calls: it is waited for what measures it, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from modelserve.canary.rollout import CannotRollOut, RolloutState
from modelserve.canary.running.beginning import expect_measured, foresee
from modelserve.canary.running.plan import Plan, Step
from modelserve.canary.running.settling import NotSettled, settle
from modelserve.canary.sources import NotMeasured

THERE = RolloutState("one", "two", 0, is_ready=True, failure="", fingerprint="a")


@dataclass
class Scraped:
    """A source whose clock goes as it is waited for."""

    since: float
    now: float = 0.0
    asked: int = 0

    def expect_presence(self, revision: str) -> None:
        self.asked += 1
        if self.now < self.since:
            raise NotMeasured(f"nothing of {revision}")

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def expect(source: Scraped, state: RolloutState = THERE) -> None:
    expect_measured(source, state, wait_seconds=60, clock=lambda: source.now, sleep=source.sleep)


def test_a_pod_that_is_about_to_be_scraped_is_waited_for() -> None:
    source = Scraped(since=30)
    expect(source)
    assert source.now == 30


def test_it_is_not_waited_for_ever() -> None:
    source = Scraped(since=1000)
    with pytest.raises(NotMeasured, match="nothing of one"):
        expect(source)
    assert source.now == 60


def test_a_canary_that_has_calls_is_watched_in_any_case() -> None:
    source = Scraped(since=1000)
    expect(source, replace(THERE, percent=10))
    assert source.asked == 0


class Settling:
    """A rollout whose traffic moves after a while, and that does not answer before."""

    name = "names"

    def __init__(self, answer: Callable[[float], RolloutState]) -> None:
        self.now, self._answer = 0.0, answer

    def check(self) -> RolloutState:
        return self.state()

    def state(self) -> RolloutState:
        return self._answer(self.now)

    def shift(self, percent: int, expected: RolloutState) -> None:
        raise NotImplementedError

    def promote(self, expected: RolloutState) -> None:
        raise NotImplementedError

    def roll_back(self) -> str:
        raise NotImplementedError

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def wait(rollout: Settling, revision: str) -> RolloutState:
    return settle(rollout, revision, timeout_seconds=60, clock=lambda: rollout.now, sleep=rollout.sleep)


def test_a_promotion_is_seen_when_the_newest_revision_is_the_stable_one() -> None:
    promoted = replace(THERE, stable="two", canary=None)

    def answer(now: float) -> RolloutState:
        if now < 10:
            raise CannotRollOut("the cluster does not answer")
        return replace(THERE, percent=100) if now < 20 else promoted

    rollout = Settling(answer)
    assert wait(rollout, "two") == promoted
    assert rollout.now == 20, "all calls are not enough: the next change would make a canary of it"


@pytest.mark.parametrize("away", [False, True])
def test_what_does_not_come_about_is_told_as_it_is(away: bool) -> None:
    def answer(now: float) -> RolloutState:
        if away:
            raise CannotRollOut("the cluster does not answer")
        return replace(THERE, percent=10)

    said = "the cluster does not answer" if away else "two has 10% of the calls, one the rest; both are ready"
    with pytest.raises(NotSettled, match=f"all calls were asked for one, and 60 s later: {said}"):
        wait(Settling(answer), "one")


def test_a_plan_tells_all_that_is_missing_at_once() -> None:
    plan = Plan([Step(10, 0, 60)], ready_seconds=60)
    state = replace(THERE, is_ready=False)
    outlook = foresee(Settling(lambda _: state), Scraped(since=1000), plan)
    assert outlook.state == state
    assert outlook.obstacles == [
        "not both revisions are ready; that is waited for, for 60 s",
        "nothing of one",
    ]
