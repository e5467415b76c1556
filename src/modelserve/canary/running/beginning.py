"""Whether a canary could begin: that its traffic can be moved, that it answers, and that it is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelserve.canary.rollout import CannotRollOut, NothingNew, Rollout, RolloutState
from modelserve.canary.running.plan import Plan
from modelserve.canary.sources import NotMeasured


class Presence(Protocol):
    """A source that tells whether a revision is measured at all."""

    def expect_presence(self, revision: str) -> None:
        """Make sure that it is, whether or not anybody calls it.

        Raises:
            NotMeasured: it is not; the message says what is asked for.
        """


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would come of a canary now.

    Attributes:
        state: where it stands; None where it cannot be moved.
        obstacles: why it could not begin, sentences; empty where it could.
    """

    state: RolloutState | None
    obstacles: Sequence[str]


def foresee(rollout: Rollout, source: Presence, plan: Plan) -> Outlook:
    """Look at everything that a canary needs, and move nothing.

    Raises:
        NothingNew: there is no canary.
    """
    try:
        state = rollout.check()
    except NothingNew:
        raise
    except CannotRollOut as error:
        return Outlook(None, [str(error)])
    obstacles = []
    if state.failure:
        obstacles.append(f"the canary does not start: {state.failure}")
    elif not state.is_ready:
        obstacles.append(f"not both revisions are ready; that is waited for, for {plan.ready_seconds:g} s")
    try:
        source.expect_presence(state.stable)
    except NotMeasured as error:
        obstacles.append(str(error))
    return Outlook(state, obstacles)


def find_absence(source: Presence, state: RolloutState) -> str:
    """Why a canary is not to get its first calls: the stable revision is not measured. Empty where it may.

    One that has a share already was begun by somebody who made sure. It is watched in any case: to leave it
    alone would be worse than to find that it cannot be judged.
    """
    if state.percent > 0:
        return ""
    try:
        source.expect_presence(state.stable)
    except NotMeasured as error:
        return str(error)
    return ""


def expect_measured(
    source: Presence,
    state: RolloutState,
    *,
    wait_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make sure that the stable revision is measured before a canary gets its first calls.

    Args:
        source: that will measure.
        state: where the canary stands.
        wait_seconds: for pods that are about to be scraped, and for a source that is about to answer.
        clock: in seconds.
        sleep: waits for so many seconds.

    Raises:
        NotMeasured: it is not, in that time.
    """
    deadline = clock() + wait_seconds
    while absence := find_absence(source, state):
        if clock() >= deadline:
            raise NotMeasured(absence)
        sleep(1.0)
