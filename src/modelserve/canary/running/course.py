"""The course of a canary, without a clock or a cluster: from where it stands to what is next.

What is to be done is done after it was decided and, where decisions are kept, written down: so whoever is
killed in between is followed by one that decides the same and does it. All that is done may be done twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from modelserve.canary.judge.acting import Action, act
from modelserve.canary.judge.policy import OnInconclusive
from modelserve.canary.judge.verdicts import Judgement, Verdict
from modelserve.canary.rollout import RolloutState
from modelserve.canary.running.plan import Plan

MAKING_SECONDS = 5.0
"""How long after a change its revision may be made: the newest one until then is of the model before, which
may have been rolled back."""

_PROMOTING_SECONDS = 30.0
"""After which all calls are given in another way, and the first one again after as long: KServe was seen not
to take notice that the share was gone, once in a hundred promotions. It looks again at whatever changes."""

_STRAY_SECONDS = 60.0
"""How long the traffic may be other than was asked for: routers take a while, and so do statuses."""

_MOVING_SECONDS = 300.0
"""How long it may take until it is as asked for."""


class Phase(str, Enum):
    """Where a canary stands. The last three are its ends."""

    STARTING = "starting"
    SHIFTING = "shifting"
    WATCHING = "watching"
    PROMOTING = "promoting"
    ROLLING_BACK = "rolling_back"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    SUPERSEDED = "superseded"


ENDS = frozenset({Phase.PROMOTED, Phase.ROLLED_BACK, Phase.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Course:
    """A canary on its way. Times are in seconds of one clock that does not go back.

    Attributes:
        expected: what is rolled out, as it was when the canary began.
        phase: where it stands.
        step: its place in the plan.
        since: when the phase began.
        stray_since: since when the traffic is other than was asked for; None where it is as asked.
        reason: why it is in this phase; a sentence.
    """

    expected: RolloutState
    phase: Phase
    step: int
    since: float
    stray_since: float | None = None
    reason: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing more to do."""
        return self.phase in ENDS

    def to(self, phase: Phase, *, now: float, reason: str, step: int | None = None) -> Course:
        """The next phase."""
        step = self.step if step is None else step
        return replace(self, phase=phase, since=now, stray_since=None, reason=reason, step=step)


@dataclass(frozen=True, slots=True)
class Shift:
    """Give the canary so many of a hundred calls."""

    percent: int


@dataclass(frozen=True, slots=True)
class Promote:
    """Give the canary all calls, for good."""


Command = Shift | Promote | None


def begin(state: RolloutState, *, now: float) -> Course:
    """A canary that is there, whatever share of the calls it has."""
    return Course(state, Phase.STARTING, 0, now, reason=f"{state.canary} is tried beside {state.stable}")


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen at one time.

    Attributes:
        now: seconds of the course's clock.
        observed: what the cluster says.
        judgement: of all measurements, while the canary is watched; None where nothing was judged.
        is_measured: whether the stable revision is, as far as was asked: without that nothing begins.
    """

    now: float
    observed: RolloutState
    judgement: Judgement | None = None
    is_measured: bool = True


def proceed(course: Course, sight: Sight, plan: Plan, policy: OnInconclusive) -> tuple[Course, Command]:
    """What follows from what is seen.

    Args:
        course: where the canary stands, not at an end.
        sight: what is seen.
        plan: its steps.
        policy: for a deadline without a verdict.

    Returns:
        Where it stands now, and what is to be done for it.
    """
    if not sight.observed.same_as(course.expected):
        return _another(course, sight), None
    if course.phase is Phase.WATCHING:
        return _watch(course, sight, plan, policy)
    return _FOLLOW[course.phase](course, sight, plan)


def _another(course: Course, sight: Sight) -> Course:
    observed, mine = sight.observed, course.expected
    if observed.canary is None and observed.stable == mine.canary:
        if course.phase is Phase.PROMOTING:
            return course.to(Phase.PROMOTED, now=sight.now, reason=course.reason)
        return course.to(Phase.SUPERSEDED, now=sight.now, reason=f"somebody promoted {mine.canary}")
    what = observed.canary if observed.canary != mine.canary else "another model"
    return course.to(Phase.SUPERSEDED, now=sight.now, reason=f"{what or 'nothing'} followed on {mine.canary}")


def _start(course: Course, sight: Sight, plan: Plan) -> tuple[Course, Command]:
    observed = sight.observed
    if sight.now - course.since < MAKING_SECONDS:
        return course, None
    if observed.is_ready:
        if not sight.is_measured:
            return course, None
        step = plan.first_step(observed.percent)
        shifting = course.to(Phase.SHIFTING, now=sight.now, reason="both revisions are ready", step=step)
        return shifting, Shift(plan.steps[step].percent)
    if observed.failure:
        return _back(course, sight, f"the canary does not start: {observed.failure}")
    if sight.now - course.since >= plan.ready_seconds:
        return _back(course, sight, f"the canary was not ready in {plan.ready_seconds:g} s")
    return course, None


def _shift(course: Course, sight: Sight, plan: Plan) -> tuple[Course, Command]:
    """Ask again and again, as nothing is lost by it, but not for ever."""
    wanted = plan.steps[course.step].percent
    if sight.observed.percent == wanted:
        return course.to(Phase.WATCHING, now=sight.now, reason=f"the canary has {wanted}% of the calls"), None
    if sight.now - course.since >= _MOVING_SECONDS:
        return _back(course, sight, "the cluster does not move the traffic")
    return course, Shift(wanted)


def _watch(course: Course, sight: Sight, plan: Plan, policy: OnInconclusive) -> tuple[Course, Command]:
    if sight.observed.failure:
        return _back(course, sight, f"the canary failed: {sight.observed.failure}")
    wanted = plan.steps[course.step].percent
    if sight.observed.percent != wanted:
        return _stray(course, sight, wanted), None
    if sight.judgement is None:
        return replace(course, stray_since=None), None
    return _judged(course, sight, sight.judgement, plan, policy)


def _stray(course: Course, sight: Sight, wanted: int) -> Course:
    """What is measured now is of another share: it is not judged."""
    if course.stray_since is None:
        return replace(course, stray_since=sight.now)
    if sight.now - course.stray_since < _STRAY_SECONDS:
        return course
    reason = f"somebody gave the canary {sight.observed.percent}% of the calls, and not {wanted}%"
    return course.to(Phase.SUPERSEDED, now=sight.now, reason=reason)


def _judged(
    course: Course, sight: Sight, judgement: Judgement, plan: Plan, policy: OnInconclusive
) -> tuple[Course, Command]:
    step, seen, reason = plan.steps[course.step], sight.now - course.since, "; ".join(judgement.reasons)
    action = act(judgement.verdict, policy, is_past_deadline=seen >= step.most_seconds)
    if action is Action.ROLL_BACK:
        if judgement.verdict is not Verdict.FAIL:
            reason = f"no verdict in {step.most_seconds:g} s: {reason}"
        return _back(course, sight, reason)
    if action is Action.HOLD or seen < step.least_seconds:
        return replace(course, stray_since=None, reason=reason), None
    if course.step + 1 < len(plan.steps):
        further = course.to(Phase.SHIFTING, now=sight.now, reason=reason, step=course.step + 1)
        return further, Shift(plan.steps[further.step].percent)
    return course.to(Phase.PROMOTING, now=sight.now, reason=reason), Promote()


def _back(course: Course, sight: Sight, reason: str) -> tuple[Course, Command]:
    return course.to(Phase.ROLLING_BACK, now=sight.now, reason=reason), Shift(0)


def _roll_back(course: Course, sight: Sight, _: Plan) -> tuple[Course, Command]:
    if sight.observed.percent == 0:
        return course.to(Phase.ROLLED_BACK, now=sight.now, reason=course.reason), None
    return course, Shift(0)


def _promote(course: Course, sight: Sight, _: Plan) -> tuple[Course, Command]:
    is_odd = (sight.now - course.since) // _PROMOTING_SECONDS % 2
    return course, Shift(100) if is_odd else Promote()


_FOLLOW = {
    Phase.STARTING: _start,
    Phase.SHIFTING: _shift,
    Phase.ROLLING_BACK: _roll_back,
    Phase.PROMOTING: _promote,
}
