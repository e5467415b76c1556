"""The driver through what does not answer, a cluster or a Prometheus, and changes that come in between."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from modelserve.canary.judge.measurements import Counters, Look
from modelserve.canary.judge.policy import OnInconclusive, Policy, ShareLimits, WarmUp
from modelserve.canary.judge.verdicts import Verdict
from modelserve.canary.rollout import CannotRollOut, Changed, Gone, NothingNew, RolloutState
from modelserve.canary.running.course import Phase
from modelserve.canary.running.driver import Driver, Progress
from modelserve.canary.running.plan import Plan, Step
from modelserve.canary.running.telling import JsonLines, Lines
from modelserve.canary.sources import NotMeasured

PLAN = Plan([Step(10, 60, 600), Step(50, 60, 600)], look_seconds=10, ready_seconds=300)
POLICY = Policy(
    errors=ShareLimits(0.001, 0.05), latency=(), labels=None, confidence=None, warm_up=WarmUp(0, 0)
)


@dataclass
class World:
    """A cluster with callers, whose clock goes when the driver sleeps.

    ``away`` says for which times the cluster, or Prometheus, does not answer.
    """

    error_share: float = 0.0
    cluster_is_away: Callable[[float], bool] = lambda now: False
    prometheus_is_away: Callable[[float], bool] = lambda now: False
    name: str = "names"
    is_gone: bool = False
    now: float = 1000.0
    state: RolloutState = field(
        default_factory=lambda: RolloutState("one", "two", 0, is_ready=True, failure="", fingerprint="a")
    )
    said: list[Progress] = field(default_factory=list)
    shares: list[int] = field(default_factory=list)
    promoted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = {"one": [0.0, 0.0], "two": [0.0, 0.0]}

    def check(self) -> RolloutState:
        if self.state.canary is None:
            raise NothingNew("nothing is newer")
        return self.state

    def _answer(self) -> None:
        if self.cluster_is_away(self.now):
            raise CannotRollOut("the cluster does not answer")
        if self.is_gone:
            raise Gone("there is no InferenceService names")

    def state_now(self) -> RolloutState:
        self._answer()
        return self.state

    def shift(self, percent: int, expected: RolloutState) -> None:
        self._answer()
        if not self.state.same_as(expected):
            raise Changed("changed")
        self.shares.append(percent)
        self.state = replace(self.state, percent=percent)

    def promote(self, expected: RolloutState) -> None:
        self._answer()
        if not self.state.same_as(expected):
            raise Changed("changed")
        self.promoted.append(self.state.fingerprint)
        self.state = replace(self.state, stable="two", canary=None, percent=0)

    def look(self, *, canary: str, stable: str) -> Look:
        if self.prometheus_is_away(self.now):
            raise NotMeasured("Prometheus does not answer")
        one, two = (Counters(self.counts[name][0], self.counts[name][1]) for name in (stable, canary))
        return Look(self.now, canary={"b": two}, stable={"a": one})

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        calls = round(100 * seconds)
        to_canary = calls * self.state.percent // 100
        self.counts["one"][0] += calls - to_canary
        self.counts["two"][0] += to_canary
        self.counts["two"][1] += round(to_canary * self.error_share)

    def driver(self, policy: Policy = POLICY) -> Driver:
        world = self

        class Moves:
            name = world.name
            check, shift, promote = world.check, world.shift, world.promote
            state = world.state_now

            def roll_back(self) -> str:
                raise CannotRollOut("a driver goes back by a share of 0")

        return Driver(
            Moves(), world, PLAN, policy, tell=world.said.append, clock=lambda: world.now, sleep=world.sleep
        )

    def run(self, policy: Policy = POLICY) -> Phase:
        driver = self.driver(policy)
        return driver.run(driver.begin()).phase


def test_a_good_canary_is_promoted_and_all_is_told() -> None:
    world = World()
    assert world.run() is Phase.PROMOTED
    assert world.shares == [10, 50]
    people, programs = io.StringIO(), io.StringIO()
    lines, objects = Lines(people), JsonLines(programs)
    for progress in world.said:
        lines(progress)
        objects(progress)
    told = people.getvalue().splitlines()
    assert len(told) < len(world.said), "nothing twice"
    assert " promoted 0%: " in told[-1]
    last = [json.loads(line) for line in programs.getvalue().splitlines()]
    assert (last[-1]["phase"], last[-1]["canary"]) == ("promoted", "two")
    judged = [one for one in last if one["findings"]]
    assert {one["check"] for one in judged[-1]["findings"]} == {"traffic", "errors"}


def test_a_bad_one_goes_back_with_numbers() -> None:
    world = World(error_share=0.2)
    assert world.run() is Phase.ROLLED_BACK
    assert world.shares == [10, 0]
    assert world.said[-1].course.reason.startswith("errors: ")
    assert world.now < 1000 + 60


@pytest.mark.parametrize("away", ["cluster", "prometheus"])
def test_what_is_away_for_a_while_stops_nothing_for_good(away: str) -> None:
    def is_away(now: float) -> bool:
        return 1030 <= now < 1090

    world = World(cluster_is_away=is_away) if away == "cluster" else World(prometheus_is_away=is_away)
    assert world.run() is Phase.PROMOTED
    troubles = [one.trouble for one in world.said if one.trouble]
    assert troubles
    assert all("does not answer" in trouble for trouble in troubles)


def test_the_way_back_is_tried_until_it_is_gone() -> None:
    world = World(error_share=0.2, cluster_is_away=lambda now: 1020 <= now < 1100)
    assert world.run() is Phase.ROLLED_BACK
    assert (world.shares[-1], world.state.percent) == (0, 0)


@pytest.mark.parametrize("policy", OnInconclusive)
def test_without_measurements_nothing_is_promoted(policy: OnInconclusive) -> None:
    world = World(prometheus_is_away=lambda now: now < 5000)
    phase = world.run(replace(POLICY, on_inconclusive=policy))
    if policy is OnInconclusive.ROLL_BACK:
        assert phase is Phase.ROLLED_BACK
    else:
        assert world.now > 5000, "held until it was measured"
        assert phase is Phase.PROMOTED


def test_a_change_in_between_is_not_promoted() -> None:
    world = World()
    driver = world.driver()
    course = driver.begin()
    looks: list[Look] = []
    while course.phase is not Phase.PROMOTING:
        before = course
        course = driver.tick(course, looks)
        world.sleep(10)
        if course.step == 1 and before.phase is Phase.WATCHING:
            world.state = replace(world.state, fingerprint="b")
            course = driver.tick(course, looks)
            break
    assert course.phase is Phase.SUPERSEDED
    assert world.promoted == []


def test_a_clock_that_is_behind_is_waited_for() -> None:
    """As another machine's, which goes on with the canary."""
    world = World()
    looks = [Look(1050.0, canary={"b": Counters(0, 0)}, stable={"a": Counters(0, 0)})]
    driver = world.driver()
    assert driver.run(driver.begin(), looks).phase is Phase.PROMOTED
    troubled = [one for one in world.said if "by its clock" in one.trouble]
    assert troubled[0].judgement is not None
    assert troubled[0].judgement.verdict is Verdict.ERROR
    assert troubled[-1].at <= 1050


def test_a_service_that_is_deleted_ends_it() -> None:
    world = World()
    driver = world.driver()
    course = driver.begin()
    world.is_gone = True
    course = driver.run(course)
    assert (course.phase, course.reason) == (Phase.SUPERSEDED, "there is no InferenceService names")
    assert world.said[-1].course == course


def test_a_driver_that_died_is_followed() -> None:
    """Another one, with what was written down, ends where the first would have."""
    world = World()
    looks: list[Look] = []
    course = world.driver().begin()
    for _ in range(200):
        course = world.driver().tick(course, looks)
        if course.has_ended:
            break
        world.sleep(10)
    assert course.phase is Phase.PROMOTED


def test_a_newer_revision_is_waited_for() -> None:
    world = World()
    there = world.state
    world.state = replace(there, canary=None)
    with pytest.raises(NothingNew):
        world.driver().begin(wait_seconds=5)
    assert world.now == 1005

    def come(seconds: float) -> None:
        world.now += seconds
        if world.now >= 1010:
            world.state = there

    driver = world.driver()
    driver._sleep = come
    assert driver.begin(wait_seconds=60).expected == there


def test_one_that_another_follows_at_once_is_not_begun() -> None:
    """As one that was rolled back, whose successor's revision is being made."""
    world = World()
    newer = replace(world.state, canary="three", fingerprint="c")

    def come(seconds: float) -> None:
        world.now += seconds
        if world.now >= 1003:
            world.state = newer

    driver = world.driver()
    driver._sleep = come
    course = driver.begin()
    assert (course.expected, course.since) == (newer, 1003)
