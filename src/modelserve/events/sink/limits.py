"""How much a sink takes, so that its memory and its end have bounds whatever is sent."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SinkLimits:
    """Bounds of a sink.

    Attributes:
        max_event_bytes: of a request's body, a batch included.
        queue_messages: that wait for the consumer.
        queue_bytes: of messages that wait and of bodies that are still being read, together.
        connections: open at once; each may hold some 300 KiB beside what is counted.
        read_seconds: from the begin of a request to its end; a slower one is cut off.
        grace_seconds: for all that was taken to be worked off when the sink ends.
    """

    max_event_bytes: int = 64 * MEBIBYTE
    queue_messages: int = 20_000
    queue_bytes: int = 256 * MEBIBYTE
    connections: int = 512
    read_seconds: float = 60.0
    grace_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Refuse bounds that would drop events whatever else comes."""
        if self.queue_bytes < 2 * self.max_event_bytes:
            raise ValueError(
                f"queue_bytes is {self.queue_bytes}; at least twice max_event_bytes, which is "
                f"{self.max_event_bytes}, is accepted"
            )
