"""Drives a canary along its course: looks, judges, moves the traffic, and tells what happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelserve.canary.judge.judging import judge
from modelserve.canary.judge.measurements import Look
from modelserve.canary.judge.policy import Policy
from modelserve.canary.judge.verdicts import Finding, Judgement, Verdict
from modelserve.canary.rollout import CannotRollOut, Changed, Gone, NothingNew, Rollout, RolloutState
from modelserve.canary.running.beginning import Presence, find_absence
from modelserve.canary.running.course import (
    MAKING_SECONDS,
    Command,
    Course,
    Phase,
    Promote,
    Shift,
    Sight,
    begin,
    proceed,
)
from modelserve.canary.running.plan import Plan
from modelserve.canary.sources import NotMeasured, Source


@dataclass(frozen=True, slots=True)
class Progress:
    """What happened at one time.

    Attributes:
        at: seconds since 1970.
        course: where the canary stands.
        percent: of the calls that it has; None where the cluster did not say.
        look: what was measured; None where nothing was.
        judgement: of it and of all before; likewise.
        trouble: what could not be asked or done, and is tried again; empty where there is none.
    """

    at: float
    course: Course
    percent: int | None
    look: Look | None = None
    judgement: Judgement | None = None
    trouble: str = ""


Tell = Callable[[Progress], None]


class Driver:
    """Takes one canary to its end.

    Whatever does not answer is asked again: a cluster or a Prometheus that is away stops the canary where it
    is, and nothing is promoted on measurements that are missing.

    Args:
        rollout: moves the traffic.
        source: measures.
        plan: its steps.
        policy: what it is judged by.
        tell: is told of everything.
        presence: is asked before the first step whether the stable revision is measured; None for a source
            that cannot tell.
        clock: seconds since 1970.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        rollout: Rollout,
        source: Source,
        plan: Plan,
        policy: Policy,
        *,
        tell: Tell,
        presence: Presence | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rollout, self._source = rollout, source
        self._plan, self._policy = plan, policy
        self._tell, self._presence = tell, presence
        self._clock, self._sleep = clock, sleep

    def begin(self, *, wait_seconds: float = 0.0) -> Course:
        """A course for the canary that is there, or comes in time, once no newer one follows at its heels.

        Args:
            wait_seconds: for one to come.

        Raises:
            CannotRollOut: there is none, or it cannot be moved.
        """
        deadline = self._clock() + wait_seconds
        seen: RolloutState | None = None
        since = 0.0
        while True:
            now = self._clock()
            try:
                found = self._rollout.check()
            except NothingNew:
                if now >= deadline:
                    raise
            else:
                if seen is None or not found.same_as(seen):
                    since = now
                elif now - since >= MAKING_SECONDS:
                    return begin(found, now=since)
                seen = found
            self._sleep(1.0)

    def run(self, course: Course, looks: Sequence[Look] = ()) -> Course:
        """Go on until an end.

        Args:
            course: where the canary stands.
            looks: what was measured since it began.
        """
        seen = list(looks)
        while not course.has_ended:
            course = self.tick(course, seen)
            if not course.has_ended:
                self._sleep(self._plan.look_seconds if course.phase is Phase.WATCHING else 1.0)
        return course

    def tick(self, course: Course, seen: list[Look]) -> Course:
        """Look once, and do what follows.

        Args:
            course: where the canary stands, not at an end.
            seen: what was measured since it began; what is measured now is added.
        """
        now = self._clock()
        try:
            observed = self._rollout.state()
        except Gone as error:
            course = course.to(Phase.SUPERSEDED, now=now, reason=str(error))
            self._tell(Progress(now, course, None))
            return course
        except CannotRollOut as error:
            self._tell(Progress(now, course, None, trouble=str(error)))
            return course
        look, judgement, trouble, absence = None, None, "", ""
        if course.phase is Phase.WATCHING:
            look, judgement, trouble = self._measure(course, seen)
        elif course.phase is Phase.STARTING and self._presence is not None:
            absence = find_absence(self._presence, observed)
        sight = Sight(now, observed, judgement, is_measured=not absence)
        course, command = proceed(course, sight, self._plan, self._policy.on_inconclusive)
        self._tell(Progress(now, course, observed.percent, look, judgement, trouble or absence))
        if command is not None:
            self._do(command, course, observed)
        return course

    def _measure(self, course: Course, seen: list[Look]) -> tuple[Look | None, Judgement, str]:
        """What is measured and judged. A look that fails is an error of this time alone."""
        stable, canary = course.expected.stable, course.expected.canary
        assert canary is not None
        try:
            look = self._source.look(canary=canary, stable=stable)
            if seen and look.at_seconds <= seen[-1].at_seconds:
                # As where another machine went before, whose clock is ahead: all looks would be useless.
                raise NotMeasured("the last look was later by its clock than this one by ours")
        except NotMeasured as error:
            failed = Finding("measurements", Verdict.ERROR, f"measurements: {error}")
            return None, Judgement.of([failed]), str(error)
        seen.append(look)
        return look, judge(seen, self._policy), ""

    def _do(self, command: Command, course: Course, observed: RolloutState) -> None:
        try:
            if isinstance(command, Shift):
                self._rollout.shift(command.percent, course.expected)
            elif isinstance(command, Promote):
                self._rollout.promote(course.expected)
        except Changed:
            return  # the next look sees what it is now
        except CannotRollOut as error:
            self._tell(Progress(self._clock(), course, observed.percent, trouble=str(error)))
