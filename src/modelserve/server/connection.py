"""uvicorn's protocol with bounds that it has not, for every HTTP server of this package."""

from __future__ import annotations

from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Of a request's head, and of its trailers: uvicorn keeps both whole, however long they are."""


class HttpConnection(HttpToolsProtocol):
    """Of one connection: a head or trailers without end are refused, and a silent one is closed."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_in_head = True
        self._kept_bytes = 0  # since the last of a body

    def data_received(self, data: bytes) -> None:
        """Go on, but not for ever within what is no body."""
        if self.transport.is_closing():
            return
        if self._kept_bytes > MAX_HEAD_BYTES:
            self.refuse_head(is_trailer=not self._is_in_head)
            return
        self._kept_bytes += len(data)
        super().data_received(data)

    def refuse_head(self, *, is_trailer: bool) -> None:
        """Tell that the head, or what comes behind a body, is too large, and close."""
        if is_trailer and self.cycle.response_complete:
            self.transport.close()
            return
        what = "what follows the request's body" if is_trailer else "the request's head"
        sentence = f"{what} is too large; {MAX_HEAD_BYTES} bytes are accepted"
        self.close_with(b"431 Request Header Fields Too Large", sentence)

    def on_headers_complete(self) -> None:
        """Note that what follows is a body."""
        self.end_head()
        super().on_headers_complete()

    def end_head(self) -> None:
        """The head has been read."""
        self._is_in_head, self._kept_bytes = False, 0

    def on_body(self, body: bytes) -> None:
        """Note that it goes on."""
        self._kept_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is whole; the end of a late body lets a silent connection be closed again."""
        self._is_in_head, self._kept_bytes = True, 0
        super().on_message_complete()
        if self.cycle.response_complete and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def close_with(self, status: bytes, sentence: str) -> None:
        """Answer what cannot be read as a request, and close.

        Args:
            status: the code and its phrase; further headers may follow it, each after a line's end.
            sentence: what is wrong and what is accepted.
        """
        body = orjson.dumps({"error": sentence})
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d" % len(body)
        self.transport.write(b"HTTP/1.1 %b\r\n%b\r\n\r\n%b" % (status, head, body))
        self.transport.close()
