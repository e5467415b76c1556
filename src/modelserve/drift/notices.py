"""Alarms as CloudEvents, which wait in the store until a sink was told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import orjson

from modelserve.drift.rows import StoredVerdict
from modelserve.drift.saying import verdict_json
from modelserve.drift.store import Store
from modelserve.events import Event

TYPE = "dev.modelserve.drift.detected"


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


class DriftOutbox:
    """The store's alarms that no sink was told of.

    Args:
        store: of the verdicts.
        origin: the events' source.
    """

    def __init__(self, store: Store, *, origin: str) -> None:
        self._store, self._origin = store, origin

    def untold(self, *, since: float) -> Iterator[tuple[int, Event]]:
        """Events of the alarms, the oldest first."""
        for stored in self._store.untold(since=since):
            yield stored.number, drift_event(stored, origin=self._origin)

    def mark_told(self, number: int) -> None:
        """A sink took the event of that number."""
        self._store.mark_told(number)
