"""The monitor as the sink drives it: on one thread, its outcomes counted."""

from __future__ import annotations

from collections.abc import Callable

from modelserve.drift.monitor import Monitor
from modelserve.events import LoggedMessage
from modelserve.events.sink import Totals


class MonitorConsumer:
    """``modelserve.events.sink.Consumer`` over a monitor.

    Args:
        monitor: used on the thread that calls.
        count: told of outcomes as they become known.
        follow: what else is due every second or so.
    """

    def __init__(
        self, monitor: Monitor, count: Callable[[str, int], None], follow: Callable[[], None]
    ) -> None:
        self._monitor, self._follow = monitor, follow
        self._totals = Totals(count)

    def take(self, message: LoggedMessage) -> None:
        """Take half a call."""
        self._monitor.take(message)

    def idle(self) -> None:
        """Do what is due, and count what became of the events since the last time."""
        self._monitor.idle()
        self._totals.tell(self._monitor.outcomes)
        self._follow()

    def close(self) -> None:
        """Write what came."""
        self._monitor.close()
        self._totals.tell(self._monitor.outcomes)
