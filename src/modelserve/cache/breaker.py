"""When to leave a store alone that fails, and when to try it again.

Without this a store that hangs would cost every call its timeout. After a few failures in a row the
circuit opens and calls do without; when the pause is over, one call tries, and its result closes the
circuit or begins another pause.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum


class State(Enum):
    """States of a circuit."""

    CLOSED = "closed"
    """Calls go through."""
    OPEN = "open"
    """Calls do without, until the pause is over."""
    TRIAL = "trial"
    """One call is under way, and the others do without."""


class CircuitBreaker:
    """A state machine that does nothing by itself: it is asked before a call and told its result.

    Every call that was let through reports its result once, whatever becomes of its caller; a trial that
    never reported would leave the circuit without another.

    Args:
        threshold: failures in a row that open the circuit.
        pause_seconds: from the circuit's opening to a trial.
        clock: seconds on a clock that never goes back.
    """

    def __init__(self, *, threshold: int, pause_seconds: float, clock: Callable[[], float]) -> None:
        self._threshold = threshold
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._failures = 0
        self._retry_at = 0.0
        # Counts changes of state: the result of a call from before the last one says nothing new.
        self._epoch = 0
        self.state = State.CLOSED

    def admit(self) -> int | None:
        """Ask to make a call.

        Returns:
            A ticket to report the result with, or None where the call does without the store.
        """
        if self.state is State.OPEN and self._clock() >= self._retry_at:
            self._change(State.TRIAL)
            return self._epoch
        return self._epoch if self.state is State.CLOSED else None

    def report(self, ticket: int, *, succeeded: bool) -> bool:
        """Tell the result of a call.

        Args:
            ticket: what ``admit`` gave.
            succeeded: whether the store answered.

        Returns:
            Whether the store has come or gone with this result: the circuit was closed and is open now,
            or the other way round. A trial that fails changes nothing that is worth a log line.
        """
        if ticket != self._epoch:
            return False
        was_trial = self.state is State.TRIAL
        self._failures = 0 if succeeded else self._failures + 1
        if was_trial and succeeded:
            self._change(State.CLOSED)
        elif was_trial or self._failures >= self._threshold:
            self._retry_at = self._clock() + self._pause_seconds
            self._change(State.OPEN)
        else:
            return False
        return succeeded or not was_trial

    def _change(self, state: State) -> None:
        self.state = state
        self._epoch += 1
