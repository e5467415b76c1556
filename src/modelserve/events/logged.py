"""KServe's request log: what its agent says of a call, in an event for the request and one for the answer.

The agent mirrors the payloads as they are. It gives both events of a call the same id, says nothing of the
revision, and writes the request's content type on both, so that a payload has to be read by what it is
(KServe 0.20.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from modelserve.events.event import Event, EventError, Rejection

PREFIX = "org.kubeflow.serving.inference."


class Side(str, Enum):
    """Which half of a call."""

    REQUEST = "request"
    RESPONSE = "response"

    @property
    def other(self) -> Side:
        """The other half."""
        return Side.RESPONSE if self is Side.REQUEST else Side.REQUEST


class Component(NamedTuple):
    """A part of an InferenceService: ``predictor``, ``transformer`` or ``explainer``."""

    namespace: str
    service: str
    name: str


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """Half a call. ``time`` is in seconds since 1970, by the agent's clock."""

    component: Component
    id: str
    side: Side
    time: float
    body: bytes


def logged_message(event: Event) -> LoggedMessage:
    """What an event of KServe's agent says.

    Raises:
        EventError: it is of another type, or names no InferenceService.
    """
    side = _SIDES.get(event.type)
    if side is None:
        raise EventError(
            Rejection.UNKNOWN_TYPE,
            f"type {event.type[:200]!r} is unknown; {' and '.join(_SIDES)} are accepted",
        )
    names = [event.extensions.get(name, "") for name in ("namespace", "inferenceservicename", "component")]
    if not all(names):
        raise EventError(
            Rejection.MALFORMED,
            "the event does not name namespace, inferenceservicename and component, as KServe's agent does",
        )
    return LoggedMessage(Component(*names), event.id, side, event.time.timestamp(), event.data)


_SIDES = {PREFIX + side.value: side for side in Side}
