"""KServe's request log where there is no KServe: a server on one machine that mirrors its own calls.

What KServe's agent does in a cluster, a thread does here: of each call over REST that is answered with 200
it tells the request and the answer, as two CloudEvents with one id, and the payloads as they were sent: one
that was compressed stays so, and who reads the log sees it by what it begins with. Like the agent's they are
dropped where they cannot be sent. Unlike the agent's, what waits has a bound, and an answer is dropped with
its request: nobody can use it alone, and a sink that hangs is not waited for twice. Calls wait for nothing
here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from queue import SimpleQueue
from uuid import uuid4

from prometheus_client import CollectorRegistry, Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelserve.events import Event, Side
from modelserve.events.logged import PREFIX
from modelserve.server.front import called_model
from modelserve.server.mirror_outputs import SEND_SECONDS, Output

logger = logging.getLogger(__name__)

MOST_CALLS, MOST_BYTES = 2_000, 64 * 1024 * 1024
"""That wait to be written; of a further one nothing is told."""

_CLOSE_SECONDS = 3.0
"""For what waits when the server ends."""


@dataclass(frozen=True, slots=True)
class MirroredCall:
    """A call that was answered. Times are in seconds since 1970."""

    model: str
    headers: list[tuple[bytes, bytes]]
    began: float
    ended: float
    body: list[bytes]
    answer: list[bytes]

    @property
    def size(self) -> int:
        """Of its payloads, in bytes."""
        return sum(map(len, self.body)) + sum(map(len, self.answer))


class Mirror:
    """Writes the calls that were answered, on a thread of its own.

    Args:
        output: where to.
        most_calls: that wait.
        most_bytes: of their payloads.
    """

    def __init__(self, output: Output, *, most_calls: int = MOST_CALLS, most_bytes: int = MOST_BYTES) -> None:
        self._output = output
        self._most_calls, self._most_bytes = most_calls, most_bytes
        self._queue: SimpleQueue[MirroredCall | None] = SimpleQueue()
        # Each of these has one thread that writes it, so they need no lock.
        self._added = self._added_bytes = self._done = self._done_bytes = 0
        self._deadline = float("inf")
        self._has_complained = False
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)

    def around(self, app: ASGIApp) -> ASGIApp:
        """An application whose answered calls are written."""
        return MirroredApp(app, self)

    def start(self, registry: CollectorRegistry, *, revision: str) -> None:
        """Begin.

        Args:
            registry: gets ``modelserve_log_dropped_total``.
            revision: its label.
        """
        counter = Counter(
            "modelserve_log_dropped_total",
            "Events of the request log that were not written.",
            ("revision",),
            registry=registry,
        )
        self._dropped = counter.labels(revision)
        self._thread.start()

    def add(self, call: MirroredCall) -> None:
        """Let a call be written; on the event loop's thread."""
        size = call.size
        if (
            self._added - self._done >= self._most_calls
            or self._added_bytes - self._done_bytes + size > self._most_bytes
        ):
            self._drop(len(Side), "they come faster than they can be written")
            return
        self._added += 1
        self._added_bytes += size
        self._queue.put(call)

    def close(self) -> None:
        """Write what waits, for a moment, and end. No call may be added any more."""
        self._deadline = time.monotonic() + _CLOSE_SECONDS
        self._queue.put(None)
        self._thread.join(_CLOSE_SECONDS + SEND_SECONDS)

    def _run(self) -> None:
        while (call := self._queue.get()) is not None:
            request, answer = _events(call)
            if self._write(request):
                self._write(answer)
            else:
                self._dropped.inc()
            self._done_bytes += call.size
            self._done += 1
        self._output.close()

    def _write(self, event: Event) -> bool:
        """Whether it was written."""
        if time.monotonic() > self._deadline:
            self._drop(1, "the server ends")
            return False
        try:
            self._output.write(event)
        except Exception as error:  # whatever it is, calls go on
            self._drop(1, str(error) or type(error).__name__)
            return False
        return True

    def _drop(self, number: int, reason: str) -> None:
        self._dropped.inc(number)
        if not self._has_complained:
            self._has_complained = True
            logger.warning(
                "events of the request log are dropped: %s; modelserve_log_dropped_total counts them", reason
            )


def _events(call: MirroredCall) -> Iterator[Event]:
    """The request and the answer, with the words of KServe 0.20.0's agent and the id that it would give."""
    name = _header(call, b"ce-id") or str(uuid4())
    for side, seconds, payload in (
        (Side.REQUEST, call.began, call.body),
        (Side.RESPONSE, call.ended, call.answer),
    ):
        yield Event(
            id=name,
            source="http://localhost/",
            type=PREFIX + side.value,
            time=datetime.fromtimestamp(seconds, timezone.utc),
            data=b"".join(payload),
            content_type=_header(call, b"content-type"),  # the request's, on both
            extensions={
                "namespace": "local",
                "inferenceservicename": call.model,
                "component": "predictor",
            },
        )


def _header(call: MirroredCall, name: bytes) -> str | None:
    return next((value.decode("latin-1") for header, value in call.headers if header == name), None)


class MirroredApp:
    """ASGI middleware that gives a mirror each inference call that was answered with 200.

    Args:
        app: answers.
        mirror: gets the calls.
    """

    def __init__(self, app: ASGIApp, mirror: Mirror) -> None:
        self._app, self._mirror = app, mirror

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request be answered, and keep what was said."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        called = called_model(scope["path"]) if is_post else None
        if called is None:
            await self._app(scope, receive, send)
            return
        began = time.time()
        status = 0
        body: list[bytes] = []
        answer: list[bytes] = []

        async def receive_and_keep() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                body.append(message.get("body", b""))
            return message

        async def send_and_keep(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                answer.append(message.get("body", b""))
            await send(message)

        await self._app(scope, receive_and_keep, send_and_keep)
        if status == 200:
            self._mirror.add(MirroredCall(called.model, scope["headers"], began, time.time(), body, answer))
