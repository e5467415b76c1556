"""What was decided about canaries as CloudEvents, which wait in the journal until a sink was told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import orjson

from modelserve.canary.journal.entries import Entry
from modelserve.canary.journal.journal import Journal
from modelserve.canary.running.telling import progress_json
from modelserve.events import Event

TYPE = "dev.modelserve.canary.verdict"


def verdict_event(entry: Entry, *, origin: str) -> Event:
    """The event of a decision; its id is the entry's number, so that repetitions are known as such."""
    canary = entry.canary
    told = progress_json(entry.progress)
    data = {"namespace": canary.namespace, "service": canary.service, "policy": canary.policy, **told}
    return Event(
        id=str(entry.number),
        source=origin,
        type=TYPE,
        time=datetime.fromtimestamp(entry.progress.at, timezone.utc),
        data=orjson.dumps(data),
        content_type="application/json",
        subject=f"{canary.namespace}/{canary.service}/{told['canary']}",
        # As KServe's own events have it, so that a Trigger can filter both alike.
        extensions={"inferenceservicename": canary.service, "namespace": canary.namespace},
    )


class CanaryOutbox:
    """The journal's decisions that no sink was told of.

    Args:
        journal: of the canaries.
        origin: the events' source.
    """

    def __init__(self, journal: Journal, *, origin: str) -> None:
        self._journal, self._origin = journal, origin

    def untold(self, *, since: float) -> Iterator[tuple[int, Event]]:
        """Events of the decisions, the oldest first."""
        for entry in self._journal.untold(since=since):
            yield entry.number, verdict_event(entry, origin=self._origin)

    def mark_told(self, number: int) -> None:
        """A sink took the event of that number."""
        self._journal.mark_told(number)
