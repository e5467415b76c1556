"""Logged calls, and servers that answer them well, badly or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson
import pytest

from modelserve.events import Component, Event, LoggedMessage, Pair, Side
from modelserve.events.logged import PREFIX

PREDICTOR = Component("default", "bert-ner", "predictor")
BEGIN = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)


def _entities(*found: tuple[str, int, int]) -> list[dict[str, Any]]:
    return [
        {"type": kind, "text": "x" * (end - start), "start": start, "end": end, "score": 0.9}
        for kind, start, end in found
    ]


class Calls:
    """Makes calls of texts, as KServe's agent would log them."""

    def answer(self, *entities: tuple[str, int, int], texts: int = 1, revision: str = "old-1") -> bytes:
        """An answer in V2 that finds the same in each text."""
        return self.answer_each(*([entities] * texts), revision=revision)

    def answer_each(self, *texts: Sequence[tuple[str, int, int]], revision: str = "old-1") -> bytes:
        """An answer in V2, by what it finds in each text."""
        found = [orjson.dumps(_entities(*entities)).decode() for entities in texts]
        return orjson.dumps(
            {
                "model_name": "bert-ner",
                "parameters": {"revision": revision, "model_digest": f"sha256:{revision}"},
                "outputs": [{"name": "entities", "datatype": "BYTES", "shape": [len(found)], "data": found}],
            }
        )

    def answer_v1(self, *entities: tuple[str, int, int]) -> bytes:
        """An answer in V1."""
        return orjson.dumps({"predictions": [_entities(*entities)]})

    def pair(
        self,
        number: int,
        response: bytes,
        *,
        request: bytes | None = None,
        seconds: float = 0.02,
        component: Component = PREDICTOR,
        text: str = "Angela Merkel met Obama.",
        texts: int = 1,
    ) -> Pair:
        """A call; its request is V2's where none is given."""
        if request is None:
            tensor = {"name": "text", "datatype": "BYTES", "shape": [texts], "data": [text] * texts}
            request = orjson.dumps({"inputs": [tensor]})
        at = BEGIN.timestamp() + number
        return Pair(
            LoggedMessage(component, f"call-{number}", Side.REQUEST, at, request),
            LoggedMessage(component, f"call-{number}", Side.RESPONSE, at + seconds, response),
        )

    def events(self, *pairs: Pair) -> list[Event]:
        """The events of calls, as an agent sends them."""
        return [self._event(half) for pair in pairs for half in (pair.request, pair.response)]

    def _event(self, half: LoggedMessage) -> Event:
        return Event(
            id=half.id,
            source="http://localhost:9081/",
            type=PREFIX + half.side.value,
            time=BEGIN + timedelta(seconds=half.time - BEGIN.timestamp()),
            data=half.body,
            content_type="application/json",
            extensions={
                "namespace": half.component.namespace,
                "inferenceservicename": half.component.service,
                "component": half.component.name,
            },
        )


@pytest.fixture
def calls() -> Calls:
    return Calls()


@dataclass(frozen=True)
class Received:
    """A call that reached a server; its headers by lower-case names."""

    path: str
    headers: Mapping[str, str]
    body: bytes


Reply = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Target:
    """A server of a few lines; ``most_at_once`` is how many calls it had at the same time."""

    url: str
    received: list[Received] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0

    async def _serve(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers["content-length"]))
                self.received.append(Received(first.split()[1], headers, body))
                self._now += 1
                self.most_at_once = max(self.most_at_once, self._now)
                try:
                    await reply(self.received[-1], writer)
                finally:
                    self._now -= 1
        writer.close()


StartTarget = Callable[[Reply], Awaitable[Target]]


@pytest.fixture
async def start_target() -> AsyncIterator[StartTarget]:
    """Starts servers that answer each call as a function does; they end with the test."""
    servers: list[asyncio.Server] = []
    connections: set[asyncio.Task[Any]] = set()

    async def start(reply: Reply) -> Target:
        target = Target("")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                await target._serve(reply, reader, writer)
            except asyncio.CancelledError:
                writer.close()

        servers.append(await asyncio.start_server(serve, "127.0.0.1", 0))
        target.url = f"http://127.0.0.1:{servers[-1].sockets[0].getsockname()[1]}"
        return target

    yield start
    for server in servers:
        server.close()
    for task in connections:
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)


def http(body: bytes, status: str = "200 OK") -> bytes:
    """An answer in HTTP."""
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@pytest.fixture
def answering() -> Callable[..., Reply]:
    """Makes replies of the same bytes for every call."""

    def make(body: bytes, status: str = "200 OK") -> Reply:
        async def reply(_: Received, writer: asyncio.StreamWriter) -> None:
            writer.write(http(body, status))
            await writer.drain()

        return reply

    return make
