"""Reading an event's body within the sink's bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

from modelserve.events.event import EventError, Rejection
from modelserve.events.sink.backlog import Backlog

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]


class NotWhole(Exception):
    """The sender went away before the body was there."""


async def read_body(
    receive: Receive, headers: Mapping[str, str], backlog: Backlog, *, max_bytes: int
) -> bytes | None:
    """The whole body; None where the backlog had no room for it.

    A body without room is read to its end all the same, and thrown away as it comes: its sender is
    answered when it is done, as HTTP clients expect it.

    Raises:
        EventError: it is larger than ``max_bytes``; what follows is not read.
        NotWhole: the sender has gone.
    """
    if int(headers.get("content-length", 0)) > max_bytes:
        raise _too_large(max_bytes)
    message = await receive()
    if message["type"] == "http.request" and not message["more_body"]:
        body: bytes = message["body"]  # it came with its head, as most do, and takes room for no time
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        return body
    size = reserved = 0
    chunks: list[bytes] | None = []
    try:
        while True:
            if message["type"] != "http.request":
                raise NotWhole
            chunk = message["body"]
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            if chunks is not None and backlog.reserve(len(chunk)):
                reserved += len(chunk)
                chunks.append(chunk)
            elif chunks is not None:
                chunks = None
                backlog.release(reserved)
                reserved = 0
            if not message["more_body"]:
                return None if chunks is None else b"".join(chunks)
            message = await receive()
    finally:
        backlog.release(reserved)


def _too_large(max_bytes: int) -> EventError:
    return EventError(
        Rejection.OVERSIZED,
        f"the body is too large; at most {max_bytes} bytes are accepted, a batch included",
    )
