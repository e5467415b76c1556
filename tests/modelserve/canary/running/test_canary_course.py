"""Verdicts, changes, crashes, lost commands in every order: nothing unjudged is promoted or stuck."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from modelserve.canary.judge.policy import OnInconclusive
from modelserve.canary.judge.verdicts import Finding, Judgement, Verdict
from modelserve.canary.rollout import RolloutState
from modelserve.canary.running.course import Command, Course, Phase, Promote, Shift, Sight, begin, proceed
from modelserve.canary.running.plan import Plan, Step

PLAN = Plan([Step(10, 60, 600), Step(50, 60, 600)], look_seconds=10, ready_seconds=300)
THERE = RolloutState("one", "two", 0, is_ready=True, failure="", fingerprint="b")
ROLL_BACK = OnInconclusive.ROLL_BACK


def judged(verdict: Verdict) -> Judgement:
    return Judgement.of([Finding("errors", verdict, f"errors: {verdict.value}")])


def follow(
    course: Course,
    observed: RolloutState,
    verdict: Verdict | None = None,
    *,
    now: float,
    policy: OnInconclusive = ROLL_BACK,
) -> tuple[Course, Command]:
    judgement = None if verdict is None else judged(verdict)
    return proceed(course, Sight(now, observed, judgement), PLAN, policy)


def watching(step: int = 0) -> Course:
    return replace(begin(THERE, now=0), phase=Phase.WATCHING, step=step)


def test_a_good_canary_goes_through_every_step() -> None:
    course, said = begin(THERE, now=0), []
    state = THERE
    for now in range(0, 300, 10):
        course, command = follow(course, state, Verdict.PASS, now=now)
        said.append(course.phase)
        if isinstance(command, Shift):
            state = replace(state, percent=command.percent)
        elif isinstance(command, Promote):
            state = replace(state, stable="two", canary=None, percent=0)
        if course.has_ended:
            break
    watched = [Phase.WATCHING] * 6
    shifting = Phase.SHIFTING
    assert said == [Phase.STARTING, shifting, *watched, shifting, *watched, Phase.PROMOTING, Phase.PROMOTED]
    assert course.reason == "errors: pass"


def test_a_bad_one_goes_back_at_once_with_the_reason() -> None:
    course, command = follow(watching(), replace(THERE, percent=10), Verdict.FAIL, now=10)
    assert (course.phase, command, course.reason) == (Phase.ROLLING_BACK, Shift(0), "errors: fail")
    course, command = follow(course, replace(THERE, percent=10), now=20)
    assert (course.phase, command) == (Phase.ROLLING_BACK, Shift(0)), "asked until it is done"
    course, command = follow(course, THERE, now=30)
    assert (course.phase, command, course.reason) == (Phase.ROLLED_BACK, None, "errors: fail")


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.ERROR])
@pytest.mark.parametrize("policy", OnInconclusive)
def test_in_doubt_it_waits_and_then_does_as_the_policy_says(verdict: Verdict, policy: OnInconclusive) -> None:
    state = replace(THERE, percent=10)
    course, command = follow(watching(), state, verdict, now=599, policy=policy)
    assert (course.phase, command) == (Phase.WATCHING, None)
    course, _ = follow(watching(), state, verdict, now=600, policy=policy)
    expected = {OnInconclusive.ROLL_BACK: Phase.ROLLING_BACK, OnInconclusive.HOLD: Phase.WATCHING}
    # What could not be measured is never promoted.
    promoted = Phase.SHIFTING if verdict is Verdict.INCONCLUSIVE else Phase.WATCHING
    assert course.phase is expected.get(policy, promoted)


def test_one_that_never_becomes_ready_goes_back() -> None:
    waiting = replace(THERE, is_ready=False)
    course, command = follow(begin(THERE, now=0), waiting, now=299)
    assert (course.phase, command) == (Phase.STARTING, None)
    course, command = follow(course, waiting, now=300)
    assert (course.phase, command) == (Phase.ROLLING_BACK, Shift(0))
    assert course.reason == "the canary was not ready in 300 s"
    course, _ = follow(begin(THERE, now=0), replace(waiting, failure="it crashes"), now=5)
    assert course.reason == "the canary does not start: it crashes"
    course, _ = follow(watching(), replace(THERE, percent=10, failure="it crashes"), now=1)
    assert course.reason == "the canary failed: it crashes"


def test_the_model_before_is_not_tried_while_the_new_ones_revision_is_made() -> None:
    """The newest revision may be one that was rolled back."""
    changed = replace(THERE, fingerprint="c")
    course, command = follow(begin(changed, now=0), replace(changed, failure="it crashes"), now=4.9)
    assert (course.phase, command) == (Phase.STARTING, None)
    course, command = follow(course, replace(changed, canary="three"), now=5)
    assert (course.phase, command) == (Phase.SUPERSEDED, None)


@pytest.mark.parametrize(("percent", "step"), [(0, 0), (5, 0), (10, 0), (49, 0), (50, 1), (90, 1)])
def test_one_that_has_a_share_already_goes_on_from_there(percent: int, step: int) -> None:
    course, command = follow(begin(THERE, now=0), replace(THERE, percent=percent), now=5)
    assert (course.step, command) == (step, Shift(PLAN.steps[step].percent))


def test_a_promotion_that_does_not_come_about_is_asked_for_in_both_ways() -> None:
    course = replace(watching(step=1), phase=Phase.PROMOTING)
    said = [follow(course, replace(THERE, percent=100), now=now)[1] for now in (0, 29, 30, 59, 60)]
    assert said == [Promote(), Promote(), Shift(100), Shift(100), Promote()]


def test_whoever_else_moves_the_traffic_is_left_alone() -> None:
    other = replace(THERE, percent=80)
    course, command = follow(watching(), other, Verdict.FAIL, now=10)
    assert (course.phase, command) == (Phase.WATCHING, None), "what is measured is of another share"
    course, _ = follow(course, replace(THERE, percent=10), Verdict.PASS, now=50)
    assert course.stray_since is None, "routers take a while"
    course, _ = follow(course, other, None, now=60)
    course, command = follow(course, other, None, now=120)
    assert (course.phase, command) == (Phase.SUPERSEDED, None)
    assert course.reason == "somebody gave the canary 80% of the calls, and not 10%"


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (replace(THERE, canary="three", fingerprint="c"), "three followed on two"),
        (replace(THERE, fingerprint="c"), "another model followed on two"),
        (replace(THERE, stable="two", canary=None), "somebody promoted two"),
        (replace(THERE, canary=None), "nothing followed on two"),
    ],
)
def test_another_change_ends_it(observed: RolloutState, reason: str) -> None:
    course, command = follow(watching(), observed, Verdict.PASS, now=100)
    assert (course.phase, command, course.reason) == (Phase.SUPERSEDED, None, reason)


def test_traffic_that_does_not_move_goes_back() -> None:
    course = begin(THERE, now=0).to(Phase.SHIFTING, now=0, reason="")
    course, command = follow(course, THERE, now=299)
    assert (course.phase, command) == (Phase.SHIFTING, Shift(10))
    course, command = follow(course, THERE, now=300)
    assert (course.phase, course.reason) == (Phase.ROLLING_BACK, "the cluster does not move the traffic")


class CourseMachine(RuleBasedStateMachine):
    """A cluster that does what it is told, or loses it, and a course that is kept before it is followed."""

    @initialize(policy=st.sampled_from(OnInconclusive), percent=st.sampled_from([0, 10, 50]))
    def start(self, policy: OnInconclusive, percent: int) -> None:
        self.policy, self.now, self.models = policy, 0.0, 1
        self.state = replace(THERE, fingerprint="model-1", canary="revision-1", percent=percent)
        self.course = begin(self.state, now=0)
        self.kept = self.course
        self.command: Command = None
        self.allowed: set[str] = set()
        self.failed: set[str] = set()

    @precondition(lambda self: not self.course.has_ended)
    @rule(verdict=st.sampled_from([None, *Verdict]), seconds=st.sampled_from([1, 10, 100, 700]))
    def look_and_see_it_done(self, verdict: Verdict | None, seconds: int) -> None:
        self.look(verdict, seconds)
        self.obey()

    @precondition(lambda self: not self.course.has_ended)
    @rule(verdict=st.sampled_from([None, *Verdict]), seconds=st.sampled_from([1, 10, 100, 700]))
    def look(self, verdict: Verdict | None, seconds: int) -> None:
        self.now += seconds
        before = self.course
        self.course, self.command = follow(self.course, self.state, verdict, now=self.now, policy=self.policy)
        self.kept = self.course
        is_judged = before.phase is Phase.WATCHING and self.state.same_as(before.expected)
        if is_judged and verdict is Verdict.FAIL and self.state.percent == PLAN.steps[before.step].percent:
            self.failed.add(self.state.fingerprint)
        if before.step == len(PLAN.steps) - 1 and is_judged:
            doubtful = verdict is Verdict.INCONCLUSIVE and self.policy is OnInconclusive.PROMOTE
            if verdict is Verdict.PASS or doubtful:
                self.allowed.add(self.state.fingerprint)

    @rule()
    def obey(self) -> None:
        """The cluster does what was asked, if what is rolled out is what was meant."""
        if self.command is None or not self.state.same_as(self.course.expected):
            return
        if isinstance(self.command, Shift):
            assert self.command.percent == 0 or self.state.fingerprint not in self.failed
            self.state = replace(self.state, percent=self.command.percent)
        else:
            assert self.state.fingerprint in self.allowed - self.failed
            self.state = replace(self.state, stable=str(self.state.canary), canary=None, percent=0)
        self.command = None

    @rule()
    def crash(self) -> None:
        """What was decided is known, and nobody knows whether it was done."""
        self.course, self.command = self.kept, None

    @precondition(lambda self: self.course.has_ended or self.models < 3)
    @rule()
    def change_the_model(self) -> None:
        self.models += 1
        name = f"revision-{self.models}"
        self.state = replace(self.state, canary=name, fingerprint=f"model-{self.models}")

    @rule(is_ready=st.booleans(), failure=st.sampled_from(["", "it crashes"]))
    def change_its_health(self, is_ready: bool, failure: str) -> None:
        self.state = replace(self.state, is_ready=is_ready, failure="" if is_ready else failure)

    @precondition(lambda self: self.course.has_ended and self.state.canary is not None)
    @rule()
    def begin_with_what_is_there(self) -> None:
        self.course = self.kept = begin(self.state, now=self.now)
        self.command = None
        self.failed.discard(self.state.fingerprint)

    @invariant()
    def an_end_has_a_reason(self) -> None:
        assert self.course.reason

    def teardown(self) -> None:
        """Left alone by everybody, with good verdicts, every course comes to an end."""
        for _ in range(100):
            if self.course.has_ended:
                return
            self.now += 50
            self.course, self.command = follow(
                self.course, self.state, Verdict.PASS, now=self.now, policy=self.policy
            )
            if self.command is not None and self.state.same_as(self.course.expected):
                if isinstance(self.command, Shift):
                    self.state = replace(self.state, percent=self.command.percent)
                else:
                    self.state = replace(self.state, stable=str(self.state.canary), canary=None, percent=0)
        raise AssertionError(f"stuck: {self.course}")


TestCourse = CourseMachine.TestCase
TestCourse.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
