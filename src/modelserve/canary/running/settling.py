"""After the traffic was told to move: whether it did, as far as the cluster knows."""

from __future__ import annotations

import time
from collections.abc import Callable

from modelserve.canary.rollout import CannotRollOut, Rollout, RolloutState


class NotSettled(CannotRollOut):
    """What was asked for was taken, and has not come about in time; the message says what there is."""


def settle(
    rollout: Rollout,
    revision: str,
    *,
    timeout_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RolloutState:
    """Wait until a revision is the stable one, with all calls.

    Args:
        rollout: that was told so.
        revision: its name.
        timeout_seconds: how long it may take; a cluster that does not answer meanwhile is asked again.
        clock: in seconds.
        sleep: waits for so many seconds.

    Raises:
        NotSettled: it has not got them in that time.
    """
    deadline = clock() + timeout_seconds
    while True:
        try:
            state = rollout.state()
            if (state.stable, state.percent) == (revision, 0):
                return state
            seen = describe(state)
        except CannotRollOut as error:
            seen = str(error)
        if clock() >= deadline:
            raise NotSettled(f"all calls were asked for {revision}, and {timeout_seconds:g} s later: {seen}")
        sleep(1.0)


def describe(state: RolloutState) -> str:
    """A sentence for people."""
    if state.canary is None:
        return f"{state.stable} has all calls"
    well = "both are ready" if state.is_ready else state.failure or "not both are ready"
    return f"{state.canary} has {state.percent}% of the calls, {state.stable} the rest; {well}"
