"""A sink's connections: bounds on their number, on the head of a request, and on the time for all of it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from modelserve.server.connection import HttpConnection

_NO_HTTP = "what was sent is no HTTP/1.1 request; an event by POST is accepted"


class BoundedProtocol(HttpConnection):
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
        self._since: float | None = monotonic()  # when what is not whole began

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or turn it away."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self.turned_away()
            sentence = (
                f"there are {self.most_connections} connections; another is accepted when one is closed"
            )
            self.close_with(b"503 Service Unavailable\r\nretry-after: 1", sentence)

    def data_received(self, data: bytes) -> None:
        """Note when a request begins."""
        if self._since is None:
            self._since = monotonic()
        super().data_received(data)

    def refuse_head(self, *, is_trailer: bool) -> None:
        """Refuse, and count it; a request whose body was being read is counted as one that is not whole."""
        if not is_trailer:
            self.too_large()
        super().refuse_head(is_trailer=is_trailer)

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        self._since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Tell what is no HTTP so, in the words and the form of other refusals."""
        self.close_with(b"400 Bad Request", _NO_HTTP)

    def close_if_slow(self, oldest: float) -> None:
        """Cut off a request that began before a time, by ``time.monotonic``, and is not whole."""
        if self._since is not None and self._since < oldest:
            self.transport.abort()


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
