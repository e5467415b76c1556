"""The monitor as the sink drives it: on one thread, its outcomes counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from modelserve.drift.monitor import Monitor
from modelserve.events import LoggedMessage


class MonitorConsumer:
    """``modelserve.events.sink.Consumer`` over a monitor.

    Args:
        monitor: used on the thread that calls.
        count: told of outcomes as they become known.
    """

    def __init__(self, monitor: Monitor, count: Callable[[str, int], None]) -> None:
        self._monitor = monitor
        self._count = count
        self._counted: Counter[str] = Counter()

    def take(self, message: LoggedMessage) -> None:
        """Take half a call."""
        self._monitor.take(message)

    def idle(self) -> None:
        """Do what is due, and count what became of the events since the last time."""
        self._monitor.idle()
        self._tell()

    def close(self) -> None:
        """Write what came."""
        self._monitor.close()
        self._tell()

    def _tell(self) -> None:
        outcomes = self._monitor.outcomes
        for outcome, number in (outcomes - self._counted).items():
            self._count(outcome, number)
        self._counted = outcomes
