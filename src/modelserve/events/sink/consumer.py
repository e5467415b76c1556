"""What a sink hands its events to."""

from __future__ import annotations

from typing import Protocol

from modelserve.events.logged import LoggedMessage


class Consumer(Protocol):
    """Does something with halves of calls. All is called on one thread, so nothing here needs a lock."""

    def take(self, message: LoggedMessage) -> None:
        """Use half a call, and count what became of it, now or once it is known.

        What is raised is logged, and the message is counted as ``failed``: it must not have been counted.
        """
        ...

    def idle(self) -> None:
        """Do what is due by the clock: called about every second, busy or not."""
        ...

    def close(self) -> None:
        """End: called once, after the last message."""
        ...
