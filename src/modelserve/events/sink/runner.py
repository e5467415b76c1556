"""A sink as a server: from its start to an end that loses as little as it can."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import sys
from collections.abc import Callable
from functools import partial
from time import monotonic

import uvloop

from modelserve.concurrency import set_on_signals
from modelserve.events.event import Rejection
from modelserve.events.sink.app import SinkApp
from modelserve.events.sink.backlog import Backlog
from modelserve.events.sink.connection import BoundedProtocol, bounded
from modelserve.events.sink.consumer import Consumer
from modelserve.events.sink.limits import SinkLimits
from modelserve.events.sink.metrics import Outcome, SinkMetrics
from modelserve.events.sink.pages import Pages
from modelserve.events.sink.worker import Worker
from modelserve.server.http_server import HttpServer, http_config
from modelserve.server.workers import listen

logger = logging.getLogger(__name__)

_SWEEP_SECONDS = 1.0
_SWITCH_SECONDS = 0.0005
"""How long the consumer computes while an event waits to be acknowledged, instead of Python's 5 ms."""

_READING_SECONDS = 5
"""For requests that are being read when the sink ends, of its ``grace_seconds``."""


class Sink:
    """Receives events by HTTP and hands them to a consumer.

    Args:
        consumer: gets the messages, on a thread of its own.
        metrics: count what becomes of the events.
        limits: on what is taken.
        pages: further ones that it answers.
    """

    def __init__(
        self, consumer: Consumer, metrics: SinkMetrics, limits: SinkLimits, *, pages: Pages | None = None
    ) -> None:
        self._limits = limits
        self._backlog = Backlog(most_messages=limits.queue_messages, most_bytes=limits.queue_bytes)
        self._worker = Worker(consumer, self._backlog, metrics)
        self._app = SinkApp(
            self._backlog,
            metrics,
            max_event_bytes=limits.max_event_bytes,
            is_working=lambda: self._worker.is_alive,
            pages=pages or {},
        )
        protocol = bounded(
            most_connections=limits.connections,
            turned_away=partial(metrics.count, Outcome.REFUSED),
            too_large=partial(metrics.count, Rejection.OVERSIZED),
        )
        self._server = HttpServer(
            http_config(
                self._app,
                protocol=protocol,
                grace_seconds=_READING_SECONDS + math.ceil(limits.grace_seconds),  # see serve
            )
        )
        metrics.watch(messages=lambda: len(self._backlog), size=lambda: self._backlog.size)

    async def serve(self, listener: socket.socket, *, until: asyncio.Event) -> None:
        """Serve until the event is set, then work off what was taken.

        Requests that have begun are still read for a moment. What is not worked off ``grace_seconds``
        after the event is dropped.

        Args:
            listener: of the port; it is closed.
            until: ends it.
        """
        self._worker.start()
        serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        sweeping = asyncio.create_task(self._cut_off_slow_ones())
        try:
            await until.wait()
        finally:
            self._worker.hurry(deadline=monotonic() + self._limits.grace_seconds)
            logger.info("stopping: %d events are to be worked off", len(self._backlog))
            self._app.leaving = True
            self._server.should_exit = True
            sweeping.cancel()
            await asyncio.wait({serving}, timeout=min(_READING_SECONDS, self._limits.grace_seconds))
            # What is not whole now is cut off here: uvicorn would cancel it, with a traceback in the log.
            for connection in list(self._server.server_state.connections):
                connection.transport.abort()
            await serving
            await asyncio.to_thread(self._worker.stop)

    async def _cut_off_slow_ones(self) -> None:
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, self._limits.read_seconds))
            oldest = monotonic() - self._limits.read_seconds
            for connection in list(self._server.server_state.connections):
                assert isinstance(connection, BoundedProtocol)
                connection.close_if_slow(oldest)


def run_sink(
    sink: Sink, *, host: str, port: int, on_ready: Callable[[int], None] = lambda port: None
) -> None:
    """Serve a sink until SIGTERM or SIGINT.

    Args:
        sink: not served yet.
        host: address to listen on.
        port: likewise; 0 takes a free one.
        on_ready: called with the port once events are taken.

    Raises:
        StartError: the port is taken, or the address is not there.
    """
    listener = listen(host, port)
    sys.setswitchinterval(_SWITCH_SECONDS)

    async def serve() -> None:
        until = asyncio.Event()
        set_on_signals(until)
        on_ready(listener.getsockname()[1])
        await sink.serve(listener, until=until)

    uvloop.run(serve())
