"""One CloudEvent as the rest of the package sees it, and why one is not taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from modelserve.errors import ModelServeError


class Rejection(str, Enum):
    """Why an event is not used: the ``outcome`` by which it is counted."""

    MALFORMED = "malformed"
    OVERSIZED = "oversized"
    UNKNOWN_TYPE = "unknown_type"
    UNREADABLE = "unreadable"


class EventError(ModelServeError):
    """Something that was sent is no event, or none that is of use; the message goes to its sender."""

    def __init__(self, rejection: Rejection, message: str) -> None:
        super().__init__(message)
        self.rejection = rejection


@dataclass(frozen=True, slots=True)
class Event:
    """A CloudEvent 1.0. ``data`` is as it was sent, byte for byte where that is known.

    Attributes:
        id: unique for its source.
        source: a URI reference.
        type: what happened, as ``org.kubeflow.serving.inference.request``.
        time: when it happened, with a zone; when it was read, where it does not say.
        data: the payload.
        content_type: of the data, where it says.
        subject: of what in the source it is about, where it says.
        extensions: further attributes by their lower-case names.
    """

    id: str
    source: str
    type: str
    time: datetime
    data: bytes = b""
    content_type: str | None = None
    subject: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
