"""One caller's connection: sends a call, tells its outcome, and connects again where it must."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import perf_counter
from typing import TypeAlias, cast

from modelserve.bench.answers import AnswerReader, MalformedAnswer
from modelserve.bench.calls import Target
from modelserve.bench.outcomes import LOST, MALFORMED, REFUSED, TIMEOUT, UNREAD

_TCP_CLOSE = 7
"""The state in ``TCP_INFO`` of a connection that was reset; one that was closed in order waits in 8."""

_RESET_SECONDS = 0.05
"""How long after an orderly close a reset may still come for what was sent meanwhile."""

OnEnd: TypeAlias = "Callable[[Channel, str, bytes], None]"
"""Called once for each call with its outcome and, of an answer, the body."""


class Channel:
    """Takes one call at a time.

    ``intended`` and ``sent`` are times of the call in progress, in seconds of ``perf_counter``.

    Args:
        target: the server.
        on_end: called with the outcome; it may send the next call at once.
    """

    def __init__(self, target: Target, on_end: OnEnd) -> None:
        self._target = target
        self._on_end = on_end
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._call: bytes | None = None
        self.intended = self.sent = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a call is in progress."""
        return self._call is not None

    def send(self, call: bytes, intended: float | None = None) -> None:
        """Send a call, on the connection that there is or on a new one.

        Args:
            call: the bytes of the request.
            intended: when the call was due; now, where it is not given.
        """
        assert self._call is None, "a channel takes one call at a time"
        self._call = call
        self.sent = perf_counter()
        self.intended = self.sent if intended is None else intended
        if self._connection is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
        else:
            self._connection.write(call)

    def give_up(self) -> None:
        """End the call in progress, which took too long, and its connection."""
        self._drop()
        self.ended(TIMEOUT)

    def close(self) -> None:
        """Close the connection; a call in progress has no outcome then."""
        self._call = None
        self._drop()

    def ended(self, outcome: str, body: bytes = b"") -> None:
        """The call in progress has an outcome."""
        self._call = None
        self._on_end(self, outcome, body)

    def leave(self, connection: _Connection) -> bool:
        """Take no more calls on a connection; whether it was this channel's, and not an old one."""
        if connection is not self._connection:
            return False
        self._connection = None
        return True

    def _drop(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.abort()

    async def _connect(self) -> None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), self._target.host, self._target.port
            )
        except OSError:
            self._connecting = None
            self.ended(REFUSED)
            return
        self._connecting = None
        assert self._call is not None, "a call that ends while it connects cancels this"
        if connection.is_closing:
            self.ended(UNREAD)
            return
        self._connection = connection
        connection.write(self._call)


class _Connection(asyncio.Protocol):
    """One TCP connection of a channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._reader = AnswerReader()
        self._in_progress = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @property
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def write(self, call: bytes) -> None:
        self._in_progress = True
        self._transport.write(call)

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            answer = self._reader.feed(data)
        except MalformedAnswer:
            self._finish(MALFORMED)
            return
        if answer is not None:
            self._finish(str(answer.status), answer.body, keeps_alive=answer.keeps_alive)

    def eof_received(self) -> bool:
        answer = self._reader.end()
        if not self._in_progress:
            self._finish(LOST)
        elif answer is not None:
            self._finish(str(answer.status), answer.body)
        elif self._reader.has_begun:
            self._finish(LOST)
        elif self._was_reset():
            self._finish(UNREAD)
        else:
            asyncio.get_running_loop().call_later(_RESET_SECONDS, self._judge_close)
            return True
        return False

    def connection_lost(self, error: Exception | None) -> None:
        unread = error is not None and not self._reader.has_begun
        self._finish(UNREAD if unread else LOST)

    def _judge_close(self) -> None:
        self._finish(UNREAD if self._was_reset() else LOST)

    def _was_reset(self) -> bool:
        if not hasattr(socket, "TCP_INFO"):  # not on Linux: nothing excuses the server then
            return False
        connected = self._transport.get_extra_info("socket")
        state: int = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state == _TCP_CLOSE

    def _finish(self, outcome: str, body: bytes = b"", *, keeps_alive: bool = False) -> None:
        """Tell the channel the outcome of the call in progress, if there is one.

        A connection that is not kept alive leaves the channel first, which may call again at once.
        """
        in_progress, self._in_progress = self._in_progress, False
        is_current = True
        if not (keeps_alive and in_progress):
            is_current = self._channel.leave(self)
            self._transport.abort()
        if in_progress and is_current:
            self._channel.ended(outcome, body)
