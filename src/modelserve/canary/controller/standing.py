"""Where a canary stands, in a policy's status: what a controller goes on from that did not begin it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from modelserve.canary.judge.verdicts import Verdict
from modelserve.canary.rollout import RolloutState
from modelserve.canary.running.course import Course, Phase

_NAMES = {phase: "".join(word.capitalize() for word in phase.value.split("_")) for phase in Phase}
_PHASES = {name: phase for phase, name in _NAMES.items()}


@dataclass(frozen=True, slots=True)
class Standing:
    """A canary that a policy's controller has begun.

    Attributes:
        course: where it stands.
        began: when it began, in seconds since 1970; with the policy it tells this canary from all others.
        generation: of the policy by which it is judged.
    """

    course: Course
    began: float
    generation: int

    def at(self, course: Course) -> Standing:
        """The same canary, further on."""
        return replace(self, course=course)


def write_standing(standing: Standing, *, percent: int | None, verdict: Verdict | None) -> dict[str, Any]:
    """The part of a status that says it; the share and the last verdict are for people."""
    course = standing.course
    return {
        "stableRevision": course.expected.stable,
        "canaryRevision": course.expected.canary,
        "fingerprint": course.expected.fingerprint,
        "phase": _NAMES[course.phase],
        "step": course.step,
        "percent": percent,
        "verdict": None if verdict is None else verdict.value,
        "reason": course.reason,
        "startedAt": _text(standing.began),
        "phaseStartedAt": _text(course.since),
        "strayedAt": None if course.stray_since is None else _text(course.stray_since),
        "policyGeneration": standing.generation,
    }


def read_standing(status: Mapping[str, Any]) -> Standing | None:
    """The canary of a status; None where there was none yet."""
    canary = status.get("canary")
    if canary is None:
        return None
    expected = RolloutState(
        stable=canary["stableRevision"],
        canary=canary["canaryRevision"],
        percent=canary.get("percent") or 0,
        is_ready=False,
        failure="",
        fingerprint=canary["fingerprint"],
    )
    strayed = canary.get("strayedAt")
    course = Course(
        expected=expected,
        phase=_PHASES[canary["phase"]],
        step=canary["step"],
        since=_seconds(canary["phaseStartedAt"]),
        stray_since=None if strayed is None else _seconds(strayed),
        reason=canary["reason"],
    )
    return Standing(course, began=_seconds(canary["startedAt"]), generation=canary["policyGeneration"])


def phase_name(phase: Phase) -> str:
    """A phase as Kubernetes's objects say such things, as ``RolledBack``."""
    return _NAMES[phase]


@dataclass(frozen=True, slots=True)
class Condition:
    """One of a policy's conditions.

    Attributes:
        type: ``Ready``: the policy is obeyed; ``Progressing``: a canary is on its way.
        status: whether it is so.
        reason: a word.
        message: a sentence.
    """

    type: str
    status: bool
    reason: str
    message: str


def write_conditions(
    conditions: Iterable[Condition], before: Iterable[Mapping[str, Any]], *, generation: int, now: float
) -> list[dict[str, Any]]:
    """Conditions as Kubernetes has them; one that is as it was keeps the time since when.

    Args:
        conditions: as they are now.
        before: as they stand in the status; what is not named now stays.
        generation: of the policy.
        now: seconds since 1970.
    """
    written = {one["type"]: dict(one) for one in before}
    for condition in conditions:
        status = str(condition.status)
        old = written.get(condition.type, {})
        since = old["lastTransitionTime"] if old.get("status") == status else _text(now, timespec="seconds")
        written[condition.type] = {
            "type": condition.type,
            "status": status,
            "reason": condition.reason,
            "message": condition.message,
            "observedGeneration": generation,
            "lastTransitionTime": since,
        }
    return list(written.values())


def _text(seconds: float, *, timespec: str = "microseconds") -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec=timespec).replace("+00:00", "Z")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
