"""One canary of one policy: what happens to it is written down before anything is done for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from modelserve.canary.controller.cluster import Cluster
from modelserve.canary.controller.ledger import Ledger
from modelserve.canary.controller.metrics import CanaryMetrics
from modelserve.canary.controller.resource import CanaryPolicySpec
from modelserve.canary.controller.standing import (
    Condition,
    Standing,
    phase_name,
    write_conditions,
    write_standing,
)
from modelserve.canary.journal import Canary
from modelserve.canary.judge.verdicts import Verdict
from modelserve.canary.rollout import CannotRollOut
from modelserve.canary.rollout.objects import Object
from modelserve.canary.running.course import Course, Phase
from modelserve.canary.running.driver import Progress

OBEYED = Condition("Ready", True, "Obeyed", "each new model is tried before it has all calls")

_OUTCOMES = {Phase.PROMOTED: "promoted", Phase.ROLLED_BACK: "rolled_back", Phase.SUPERSEDED: "superseded"}
_BAD = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})

logger = logging.getLogger(__name__)


class Books:
    """Where it is told what happens: the policy's status and events, the journal, metrics.

    Args:
        cluster: has the policies.
        ledger: keeps what happens.
        metrics: show it.
        on_decision: is called when there is something for a sink.
    """

    def __init__(
        self, cluster: Cluster, ledger: Ledger, metrics: CanaryMetrics, *, on_decision: Callable[[], None]
    ) -> None:
        self.cluster, self.ledger, self.metrics = cluster, ledger, metrics
        self.on_decision = on_decision


class Trial:
    """A canary, from the reading of its policy until the next.

    Args:
        policy: as it was read.
        spec: what it says.
        standing: where the canary stands.
        books: are told.
    """

    def __init__(self, policy: Object, spec: CanaryPolicySpec, standing: Standing, books: Books) -> None:
        self._policy, self.standing, self._books = policy, standing, books
        known = policy.get("status", {}).get("canary", {}).get("verdict")
        self._verdict = None if known is None else Verdict(known)
        metadata = policy["metadata"]
        self.canary = Canary(
            namespace=metadata["namespace"],
            service=spec.target_ref.name,
            policy=metadata["name"],
            began=standing.began,
            specification=spec.model_dump_json(by_alias=True),
        )

    def begin(self, progress: Progress) -> None:
        """It is there: everything begins with this.

        Raises:
            CannotRollOut: it was not written.
        """
        self._verdict = None  # what is known is of the last one
        self._decide(progress)

    def tell(self, progress: Progress) -> None:
        """Write down what happened.

        Raises:
            CannotRollOut: what was decided could not be written, so that it must not be done.
        """
        before, now = self.standing.course, progress.course
        is_other_verdict = progress.judgement is not None and progress.judgement.verdict is not self._verdict
        if (before.phase, before.step) != (now.phase, now.step) or is_other_verdict:
            self._decide(progress)
            return
        self._books.ledger.add(self.canary, progress, is_decision=False)
        self._show(progress)
        self._write(progress)

    def _decide(self, progress: Progress) -> None:
        before, now = self.standing.course, progress.course
        # First of all where a controller that comes after this one looks.
        self._write(progress)
        self._books.ledger.add(self.canary, progress, is_decision=True)
        self._show(progress)
        if before.phase is not now.phase or before is now:
            self._tell_people(now)
        if outcome := _outcome(before, now):
            self._books.metrics.step_ended(self.canary.namespace, self.canary.service, outcome)
        self._books.on_decision()

    def _write(self, progress: Progress) -> None:
        course = progress.course
        standing = self.standing.at(course)
        said = "; ".join(filter(None, (course.reason, progress.trouble)))
        progressing = Condition("Progressing", not course.has_ended, phase_name(course.phase), said)
        verdict = self._last_verdict(progress)
        status = write_standing(standing, percent=progress.percent, verdict=verdict)
        self._policy = write_status(
            self._books.cluster, self._policy, OBEYED, progressing, canary=status, now=progress.at
        )
        self.standing, self._verdict = standing, verdict

    def _show(self, progress: Progress) -> None:
        # Of what was judged before this process was there, too.
        verdict = self._last_verdict(progress)
        self._books.metrics.tell(self.canary.namespace, self.canary.service, progress, verdict)

    def _last_verdict(self, progress: Progress) -> Verdict | None:
        return self._verdict if progress.judgement is None else progress.judgement.verdict

    def _tell_people(self, course: Course) -> None:
        message = f"{course.expected.canary}: {course.reason}"
        where = f"{self.canary.namespace}/{self.canary.service}"
        logger.info("%s: %s: %s", where, phase_name(course.phase), message)
        try:
            self._books.cluster.tell(
                self._policy,
                reason=phase_name(course.phase),
                message=message,
                is_warning=course.phase in _BAD,
            )
        except CannotRollOut as error:
            logger.warning("an event of %s is not written: %s", self.canary.policy, error)


def write_status(
    cluster: Cluster,
    policy: Object,
    *conditions: Condition,
    now: float,
    canary: dict[str, Any] | None = None,
) -> Object:
    """Write a policy's status where it is another than before.

    Args:
        cluster: has the policy.
        policy: as it was read.
        conditions: that are so now.
        now: seconds since 1970.
        canary: where its canary stands, if that is to be written.

    Returns:
        The policy as it is now.

    Raises:
        CannotRollOut: it was not written.
    """
    before = policy.get("status", {})
    generation = policy["metadata"]["generation"]
    status: dict[str, Any] = {
        "observedGeneration": generation,
        "conditions": write_conditions(
            conditions, before.get("conditions", []), generation=generation, now=now
        ),
    }
    if canary is not None:
        status["canary"] = canary
    if _says(before, status):
        return policy
    return cluster.write_status(policy, status)


def _says(before: dict[str, Any], status: dict[str, Any]) -> bool:
    """Whether a status has all of it already; what is None is not there."""
    for key, value in status.items():
        if isinstance(value, dict):
            if not _says(before.get(key, {}), value):
                return False
        elif before.get(key) != value:
            return False
    return True


def _outcome(before: Course, now: Course) -> str:
    if now.phase in _OUTCOMES:
        return _OUTCOMES[now.phase]
    has_advanced = before.phase is Phase.WATCHING and now.phase in (Phase.SHIFTING, Phase.PROMOTING)
    return "advanced" if has_advanced else ""
