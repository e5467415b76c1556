"""Uvicorn's protocol with bounds: on connections, on the head of a request, and on the time for all of it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024

_NO_HTTP = "what was sent is no HTTP/1.1 request; an event by POST is accepted"


class BoundedProtocol(HttpToolsProtocol):
    """Of one connection. ``bounded`` makes the class that uvicorn takes.

    Attributes:
        most_connections: open at once.
        turned_away: called for a connection too many.
        too_large: called for a head that is.
    """

    most_connections: int
    turned_away: Callable[[], None]
    too_large: Callable[[], None]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._in_head = True
        self._since: float | None = monotonic()  # when what is not whole began

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or turn it away."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self.turned_away()
            sentence = (
                f"there are {self.most_connections} connections; another is accepted when one is closed"
            )
            self._close_with(b"503 Service Unavailable\r\nretry-after: 1", sentence)

    def data_received(self, data: bytes) -> None:
        """Go on, but not for ever within a head."""
        if self.transport.is_closing():
            return
        if self._since is None:
            self._since = monotonic()
        if self._in_head:
            if self._head_bytes > MAX_HEAD_BYTES:
                self.too_large()
                sentence = f"the request's head is too large; {MAX_HEAD_BYTES} bytes are accepted"
                self._close_with(b"431 Request Header Fields Too Large", sentence)
                return
            self._head_bytes += len(data)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Note that what follows is a body."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        self._since, self._in_head, self._head_bytes = None, True, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Tell what is no HTTP so, in the words and the form of other refusals."""
        self._close_with(b"400 Bad Request", _NO_HTTP)

    def close_if_slow(self, oldest: float) -> None:
        """Cut off a request that began before a time, by ``time.monotonic``, and is not whole."""
        if self._since is not None and self._since < oldest:
            self.transport.abort()

    def _close_with(self, status: bytes, sentence: str) -> None:
        body = orjson.dumps({"error": sentence})
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d" % len(body)
        self.transport.write(b"HTTP/1.1 %b\r\n%b\r\n\r\n%b" % (status, head, body))
        self.transport.close()


def bounded(
    *, most_connections: int, turned_away: Callable[[], None], too_large: Callable[[], None]
) -> type[BoundedProtocol]:
    """The protocol, for ``uvicorn.Config(http=…)``; see ``BoundedProtocol``."""
    return type(
        "Bounded",
        (BoundedProtocol,),
        {
            "most_connections": most_connections,
            "turned_away": staticmethod(turned_away),
            "too_large": staticmethod(too_large),
        },
    )
