"""The progress of a canary, made of looks and of where it stood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from modelserve.canary.judge.judging import judge
from modelserve.canary.judge.measurements import Look
from modelserve.canary.judge.policy import Policy, WarmUp
from modelserve.canary.judge.verdicts import Finding, Judgement, Verdict
from modelserve.canary.rollout import RolloutState
from modelserve.canary.running.course import Course, Phase, begin
from modelserve.canary.running.driver import Progress
from modelserve.canary.running.plan import Plan, Step

BEGAN = 1.8e9
STATE = RolloutState("names-1", "names-2", 0, is_ready=True, failure="", fingerprint="a")
PLAN = Plan([Step(10, 60, 600), Step(50, 60, 600)], look_seconds=10)
POLICY = Policy(warm_up=WarmUp(0, 0))


def unmeasured(course: Course, at: float, trouble: str) -> Progress:
    judgement = Judgement.of([Finding("measurements", Verdict.ERROR, f"measurements: {trouble}")])
    return Progress(at, course, 10, None, judgement, trouble)


@pytest.fixture
def make_progress() -> Callable[..., list[Progress]]:
    """Progress through both steps, half of the looks each, to an end; some looks may be lost."""

    def make(
        looks: Sequence[Look],
        *,
        end: Phase | None = None,
        reason: str = "",
        lost: Sequence[int] = (),
        policy: Policy = POLICY,
    ) -> list[Progress]:
        course = replace(begin(STATE, now=BEGAN), phase=Phase.WATCHING)
        found, seen = [Progress(BEGAN, begin(STATE, now=BEGAN), 0)], []
        for index, look in enumerate(looks):
            at = BEGAN + 1 + look.at_seconds
            course = replace(course, step=int(index >= len(looks) / 2))
            if index in lost:
                found.append(unmeasured(course, at, "Prometheus does not answer"))
                continue
            seen.append(look)
            percent = PLAN.steps[course.step].percent
            found.append(Progress(at, course, percent, look, judge(seen, policy)))
        if end is not None:
            ended = course.to(end, now=found[-1].at, reason=reason)
            found.append(Progress(found[-1].at + 1, ended, 0))
        return found

    return make


@pytest.fixture
def plan() -> Plan:
    return PLAN


@pytest.fixture
def policy() -> Policy:
    return POLICY
