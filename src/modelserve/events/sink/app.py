"""What a sink answers: events are acknowledged as soon as they are read, or told why they are none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import orjson

from modelserve.events.event import EventError, Rejection
from modelserve.events.incoming import BATCH, read_events
from modelserve.events.logged import LoggedMessage, logged_message
from modelserve.events.sink.backlog import Backlog
from modelserve.events.sink.metrics import Outcome, SinkMetrics
from modelserve.events.sink.pages import Page, Pages
from modelserve.events.sink.reading import Message, NotWhole, Receive, read_body
from modelserve.events.sink.seldom import Seldom

logger = logging.getLogger(__name__)

Send: TypeAlias = Callable[[Message], Awaitable[None]]

RETRY_SECONDS = 1
"""What a sender waits that is told to come again."""

_STATUSES = {Rejection.MALFORMED: 400, Rejection.OVERSIZED: 413}


class SinkApp:
    """ASGI, without a framework: a router would cost more than all that is done with an event.

    A POST to any path is an event or a batch, as brokers and ``logger.url`` name different ones.

    Args:
        backlog: takes the messages.
        metrics: count what does not get there.
        max_event_bytes: of a body.
        is_working: whether the backlog is worked off.
        pages: of the unit; a POST to their paths is an event all the same.
    """

    def __init__(
        self,
        backlog: Backlog,
        metrics: SinkMetrics,
        *,
        max_event_bytes: int,
        is_working: Callable[[], bool],
        pages: Pages,
    ) -> None:
        self._backlog, self._metrics = backlog, metrics
        self._max_event_bytes = max_event_bytes
        self._is_working = is_working
        self._pages = pages
        self._seldom = Seldom(logger, seconds=60.0)
        self.leaving = False

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "POST":
            await self._take(_headers(scope), receive, send)
        elif (scope["method"], scope["path"]) in self._pages:
            await self._show(self._pages[scope["method"], scope["path"]], scope, receive, send)
        elif scope["method"] in ("GET", "HEAD"):
            await self._tell(
                scope["path"], dict(scope["headers"]).get(b"accept", b"").decode("latin-1"), send
            )
        else:
            await _refuse(send, 405, f"{scope['method']} is not accepted; an event by POST is", _ALLOW)

    async def _take(self, headers: dict[str, str], receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive, headers, self._backlog, max_bytes=self._max_event_bytes)
            if body is None:
                await self._tell_no_room(headers, send)
                return
            messages = self._messages(headers, body)
        except EventError as error:
            self._metrics.count(error.rejection)
            await _refuse(send, _STATUSES[error.rejection], str(error))
            return
        except (NotWhole, asyncio.CancelledError) as error:
            self._metrics.count(Outcome.INCOMPLETE)
            if isinstance(error, asyncio.CancelledError):  # the server's end
                raise
            return
        if dropped := len(messages) - self._backlog.put(messages):
            self._drop(dropped)
        await _acknowledge(send)

    def _messages(self, headers: dict[str, str], body: bytes) -> list[LoggedMessage]:
        """What is of use of a request's events. All of a batch is taken or nothing, as it is one request."""
        messages, unknown = [], 0
        for event in read_events(headers, body):
            try:
                messages.append(logged_message(event))
            except EventError as error:
                if error.rejection is not Rejection.UNKNOWN_TYPE:
                    raise
                unknown += 1  # acknowledged: a broker would send it again
        if unknown:
            self._metrics.count(Rejection.UNKNOWN_TYPE, unknown)
        return messages

    async def _tell_no_room(self, headers: dict[str, str], send: Send) -> None:
        """Acknowledge an event all the same: a sender that keeps it would be a load on its own memory."""
        if headers.get("content-type", "").lower().startswith(BATCH):
            # How many would be lost is not known, and whoever sends batches can wait.
            self._metrics.count(Outcome.REFUSED)
            sentence = f"there is no room for the batch; it is accepted in {RETRY_SECONDS} s or later"
            await _refuse(send, 503, sentence, [(b"retry-after", b"%d" % RETRY_SECONDS)])
            return
        self._drop(1)
        await _acknowledge(send)

    def _drop(self, number: int) -> None:
        self._metrics.count(Outcome.DROPPED, number)
        self._seldom.log(logging.WARNING, "events are dropped: they come faster than they are worked off")

    async def _show(self, page: Page, scope: Any, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive, _headers(scope), self._backlog, max_bytes=self._max_event_bytes)
        except EventError as error:
            await _refuse(send, _STATUSES[error.rejection], str(error))
            return
        except NotWhole:
            return
        if body is None:
            await _refuse(send, 503, "there is no room now", [(b"retry-after", b"%d" % RETRY_SECONDS)])
            return
        try:
            answer = await asyncio.to_thread(page, body)
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            await _refuse(send, 500, "it failed; the log says why")
            return
        await _answer(send, answer.status, answer.body, [(b"content-type", answer.content_type.encode())])

    async def _tell(self, path: str, accept: str, send: Send) -> None:
        if path == "/metrics":
            text, content_type = self._metrics.expose(accept)
            await _answer(send, 200, text, [(b"content-type", content_type.encode())])
        elif path in ("/health/live", "/health/ready"):
            is_well = self._is_working() and not (self.leaving and path == "/health/ready")
            name = path.rpartition("/")[2]
            await _answer(send, 200 if is_well else 503, orjson.dumps({name: is_well}), _JSON)
        else:
            pages = "/health/live, /health/ready, /metrics and, by POST to any path, events are accepted"
            await _refuse(send, 405, f"{path[:100]} is no page; {pages}", _ALLOW)


_JSON = [(b"content-type", b"application/json")]
_ALLOW = [(b"allow", b"POST")]
_ACCEPTED = {"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]}
_END = {"type": "http.response.body", "body": b""}


def _headers(scope: Any) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _acknowledge(send: Send) -> None:
    await send(_ACCEPTED)
    await send(_END)


async def _refuse(
    send: Send, status: int, sentence: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    await _answer(send, status, orjson.dumps({"error": sentence}), [*_JSON, *(headers or [])])


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
