"""What a policy asks for now: to begin with a new model, to go on with it, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from modelserve.canary.controller.resource import CanaryPolicySpec, spec_of
from modelserve.canary.controller.standing import Condition, Standing, read_standing
from modelserve.canary.controller.trial import OBEYED, Books, Trial, write_status
from modelserve.canary.judge.measurements import Look
from modelserve.canary.rollout import Away, CannotRollOut, Gone, NothingNew, Rollout
from modelserve.canary.rollout.objects import Object
from modelserve.canary.running.beginning import Presence
from modelserve.canary.running.course import Phase, begin
from modelserve.canary.running.driver import Driver, Progress
from modelserve.canary.running.specification import SpecificationError
from modelserve.canary.sources import Source

IDLE_SECONDS = 60.0
"""After which a policy is looked at again although nothing was seen to change."""

_BUSY_SECONDS = 1.0
_RESTARTED = frozenset({Phase.STARTING, Phase.SHIFTING, Phase.WATCHING})
"""Phases that depend on the steps: with other ones they begin anew, from the share that there is."""


class ClosingSource(Source, Presence, Protocol):
    """A source that knows what it measures, with connections to let go of."""

    def close(self) -> None:
        """Let go of them."""


class Places(Protocol):
    """What a policy names: where its service is, and where that is measured."""

    def rollout(self, spec: CanaryPolicySpec, namespace: str) -> Rollout:
        """What moves its traffic."""

    def source(self, spec: CanaryPolicySpec, namespace: str) -> ClosingSource:
        """What measures it."""


class Reconciler:
    """Takes one policy a step further at a time.

    What it decides stands in the policy's status before it is done, and by that alone another one goes on.
    A policy is never reconciled by two threads at once.

    Args:
        places: of what policies name.
        books: are told what happens.
        clock: seconds since 1970.
    """

    def __init__(self, places: Places, books: Books, *, clock: Callable[[], float] = time.time) -> None:
        self._places, self._books, self._clock = places, books, clock
        self._looks: dict[tuple[str, str], tuple[int, list[Look]]] = {}

    def reconcile(self, policy: Object, *, rival: str | None = None) -> float:
        """Do what is to be done now.

        Args:
            policy: as it is now.
            rival: another policy for the same service, that came first.

        Returns:
            Seconds until it has to be done again.

        Raises:
            CannotRollOut: the cluster does not answer, or somebody else writes the status.
        """
        try:
            spec = spec_of(policy)
        except SpecificationError as error:
            return self._refuse(policy, "InvalidSpec", str(error))
        if rival is not None:
            target = f"{spec.target_ref.kind} {spec.target_ref.name}"
            return self._refuse(policy, "TargetTaken", f"{target} is CanaryPolicy {rival}'s, which is older")
        if spec.suspend:
            rest = Condition("Progressing", False, "Suspended", "nothing is moved while spec.suspend is true")
            write_status(self._books.cluster, policy, OBEYED, rest, now=self._clock())
            return IDLE_SECONDS
        standing = read_standing(policy.get("status", {}))
        rollout = self._places.rollout(spec, policy["metadata"]["namespace"])
        if standing is None or standing.course.has_ended:
            return self._look_out(policy, spec, rollout, standing)
        return self._go_on(policy, spec, rollout, standing)

    def forget(self, namespace: str, name: str) -> None:
        """The policy of that name is no longer there."""
        self._looks.pop((namespace, name), None)

    def _refuse(self, policy: Object, reason: str, message: str) -> float:
        """Obey a policy no further: what it has moved stays where it is."""
        conditions = (Condition(name, False, reason, message) for name in ("Ready", "Progressing"))
        write_status(self._books.cluster, policy, *conditions, now=self._clock())
        return IDLE_SECONDS

    def _look_out(
        self, policy: Object, spec: CanaryPolicySpec, rollout: Rollout, last: Standing | None
    ) -> float:
        """Begin with a new model, where there is one that is not the last."""
        rest = Condition("Progressing", False, "NothingNew", "no new model is there to be tried")
        try:
            state = rollout.check()
        except NothingNew:
            conditions = (OBEYED, rest) if last is None else (OBEYED,)
            write_status(self._books.cluster, policy, *conditions, now=self._clock())
            return IDLE_SECONDS
        except Away:
            raise
        except CannotRollOut as error:
            return self._refuse(
                policy, "TargetNotFound" if isinstance(error, Gone) else "NotMovable", str(error)
            )
        if last is not None and state.same_as(last.course.expected):
            write_status(self._books.cluster, policy, OBEYED, now=self._clock())
            return IDLE_SECONDS
        now = self._clock()
        course = begin(state, now=now)
        standing = Standing(course, began=now, generation=policy["metadata"]["generation"])
        Trial(policy, spec, standing, self._books).begin(Progress(now, course, state.percent))
        return 0.0

    def _go_on(self, policy: Object, spec: CanaryPolicySpec, rollout: Rollout, standing: Standing) -> float:
        generation = policy["metadata"]["generation"]
        if standing.generation != generation:
            course = standing.course
            if course.phase in _RESTARTED:
                course = course.to(Phase.STARTING, now=self._clock(), reason="the policy was changed", step=0)
            standing = Standing(course, standing.began, generation)
        trial = Trial(policy, spec, standing, self._books)
        looks = self._looks_of(trial)
        with closing(self._places.source(spec, trial.canary.namespace)) as source:
            driver = Driver(
                rollout,
                source,
                spec.plan(),
                spec.policy(),
                tell=trial.tell,
                presence=source,
                clock=self._clock,
            )
            course = driver.tick(standing.course, looks)
        if course.has_ended:
            self.forget(trial.canary.namespace, trial.canary.policy)
            return 0.0  # another model may be there already
        return spec.look_seconds if course.phase is Phase.WATCHING else _BUSY_SECONDS

    def _looks_of(self, trial: Trial) -> list[Look]:
        """What was measured of a canary since it began, by whichever controller."""
        canary = trial.canary
        began, looks = self._looks.get((canary.namespace, canary.policy), (0, []))
        if began != canary.microseconds:
            looks = self._books.ledger.resume(canary, trial.standing.course)
            self._looks[canary.namespace, canary.policy] = (canary.microseconds, looks)
        return looks
