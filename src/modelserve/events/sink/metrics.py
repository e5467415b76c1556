"""What became of the events, and how many wait."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import choose_encoder

from modelserve.events.event import Rejection


class Outcome(str, Enum):
    """How an event ends that does not reach the consumer, or that it fails on, beside ``Rejection``.

    Attributes:
        DROPPED: it was acknowledged, and there was no room for it or no time left.
        REFUSED: its sender was told to come again: a connection too many, or a batch without room.
        INCOMPLETE: its sender went away, or was too slow, before it was whole.
        FAILED: the consumer raised an exception.
    """

    DROPPED = "dropped"
    REFUSED = "refused"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


class SinkMetrics:
    """Counts outcomes, the sink's own and its consumer's, as ``<prefix>_events_total{outcome}``.

    They sum to the events that were offered and do not wait any more. A batch that is not taken counts once:
    how many events were in it is not known.

    Args:
        prefix: of the metrics' names, as ``modelserve_drift``.
        registry: of all that ``/metrics`` shows; the consumer may have metrics of its own in it.
    """

    def __init__(self, prefix: str, registry: CollectorRegistry) -> None:
        self._prefix = prefix
        self._registry = registry
        self._events = Counter(
            f"{prefix}_events_total", "Events by what became of them.", ("outcome",), registry=registry
        )
        self._children = {one.value: self._events.labels(one.value) for one in (*Rejection, *Outcome)}

    def count(self, outcome: str, number: int = 1) -> None:
        """Count events that ended; on any thread."""
        child = self._children.get(outcome)  # prometheus_client's own lookup is slow
        if child is None:
            child = self._children[outcome] = self._events.labels(outcome)
        child.inc(number)

    def outcomes(self) -> dict[str, int]:
        """How many events ended how; those outcomes that there are."""
        (family,) = self._events.collect()
        totals = [sample for sample in family.samples if sample.name.endswith("_total")]
        return {one.labels["outcome"]: int(one.value) for one in totals if one.value}

    def watch(self, *, messages: Callable[[], int], size: Callable[[], int]) -> None:
        """Show how many messages wait, and how many bytes they have with those that are being read."""
        for name, text, told in (
            ("queue_messages", "Events that wait for the consumer.", messages),
            ("queue_bytes", "Bytes of events that wait or are being read.", size),
        ):
            Gauge(f"{self._prefix}_{name}", text, registry=self._registry).set_function(told)

    def expose(self, accept_header: str) -> tuple[bytes, str]:
        """Everything as text, and its content type.

        Args:
            accept_header: of the request; it may ask for OpenMetrics.
        """
        encode, content_type = choose_encoder(accept_header)
        return encode(self._registry), content_type
