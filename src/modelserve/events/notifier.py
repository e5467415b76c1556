"""Tells a sink what there is to tell, in CloudEvents, however long the sink is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import Protocol

import httpx

from modelserve.database import StoreError
from modelserve.events.event import Event
from modelserve.events.outgoing import write_event

_TIMEOUT_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 60.0
_STALE_SECONDS = 24 * 3600.0
"""After which nobody needs to be told, as where a sink was named long after the first events."""

logger = logging.getLogger(__name__)


class Outbox(Protocol):
    """What waits to be told, where it outlives the process. Both raise ``StoreError``."""

    def untold(self, *, since: float) -> Iterable[tuple[int, Event]]:
        """Events that no sink took yet, the oldest first, by their numbers.

        Args:
            since: of things that happened then or later, in seconds since 1970.
        """

    def mark_told(self, number: int) -> None:
        """A sink took the event of that number."""


class Notifier:
    """A thread that sends what an outbox has, until the sink takes it.

    Events wait in the outbox, so that they outlive a crash of either side. One may come twice, never not at
    all.

    Args:
        outbox: of the events.
        url: of the sink.
    """

    def __init__(self, outbox: Outbox, url: str) -> None:
        self._outbox, self._url = outbox, url
        self._wake = threading.Event()
        self._wake.set()  # for what was left untold before a restart
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to tell."""
        self._wake.set()

    def close(self) -> None:
        """Try once more what is left, and end."""
        self._ending = True
        self._wake.set()
        self._thread.join(_TIMEOUT_SECONDS)

    def _run(self) -> None:
        pause_seconds = 0.0
        with httpx.Client(timeout=_TIMEOUT_SECONDS) as client:
            while True:
                self._wake.wait(pause_seconds or None)
                self._wake.clear()
                try:
                    self._send_all(client)
                    pause_seconds = 0.0
                except (httpx.HTTPError, StoreError) as error:
                    pause_seconds = min(_LONGEST_PAUSE_SECONDS, 2 * pause_seconds or 1.0)
                    logger.warning("events wait for %s: %s", self._url, error)
                if self._ending:
                    return

    def _send_all(self, client: httpx.Client) -> None:
        for number, event in self._outbox.untold(since=time.time() - _STALE_SECONDS):
            headers, body = write_event(event)
            client.post(self._url, headers=headers, content=body).raise_for_status()
            self._outbox.mark_told(number)
