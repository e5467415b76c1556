"""CloudEvents in and out: what KServe's agent mirrors of the calls, and what this package has to tell."""

from modelserve.events.event import Event, EventError, Rejection
from modelserve.events.incoming import read_events
from modelserve.events.joining import Joiner, Joining, Pair
from modelserve.events.logged import Component, LoggedMessage, Side, logged_message
from modelserve.events.outgoing import write_event, write_structured

__all__ = [
    "Component",
    "Event",
    "EventError",
    "Joiner",
    "Joining",
    "LoggedMessage",
    "Pair",
    "Rejection",
    "Side",
    "logged_message",
    "read_events",
    "write_event",
    "write_structured",
]
