"""Tells a sink of alarms, in CloudEvents, however long the sink is away."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timezone

import httpx
import orjson

from modelserve.drift.rows import StoredVerdict
from modelserve.drift.saying import verdict_json
from modelserve.drift.store import Store, StoreError
from modelserve.events import Event, write_event

TYPE = "dev.modelserve.drift.detected"

_TIMEOUT_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 60.0
_STALE_SECONDS = 24 * 3600.0
"""After which nobody needs to be told, as where a sink was named long after the first alarms."""

logger = logging.getLogger(__name__)


def drift_event(stored: StoredVerdict, *, origin: str) -> Event:
    """The event of a verdict; its id is the verdict's number, so that repetitions are known as such."""
    component, revision, _ = stored.verdict.source
    return Event(
        id=str(stored.number),
        source=origin,
        type=TYPE,
        time=datetime.fromtimestamp(stored.verdict.closed, timezone.utc),
        data=orjson.dumps(verdict_json(stored.verdict)),
        content_type="application/json",
        subject="/".join((*component, revision)),
        # As KServe's own events have it, so that a Trigger can filter both alike.
        extensions={"inferenceservicename": component.service, "namespace": component.namespace},
    )


class Notifier:
    """A thread that sends what the store has to tell, until the sink takes it.

    Verdicts wait in the store, so that an alarm outlives a crash of either side. It may come twice, never
    not at all.

    Args:
        store: of the verdicts.
        url: of the sink.
        origin: the events' source.
    """

    def __init__(self, store: Store, url: str, *, origin: str) -> None:
        self._store, self._url, self._origin = store, url, origin
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
                    logger.warning("alarms wait for %s: %s", self._url, error)
                if self._ending:
                    return

    def _send_all(self, client: httpx.Client) -> None:
        for stored in self._store.untold(since=time.time() - _STALE_SECONDS):
            headers, body = write_event(drift_event(stored, origin=self._origin))
            client.post(self._url, headers=headers, content=body).raise_for_status()
            self._store.mark_told(stored.number)
