"""Clients of predictors, and a connection between the two that breaks."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from modelserve.remote import Predictor
from modelserve.remote.opening import open_predictor
from modelserve.settings import RemoteSettings

Connect = Callable[..., Predictor]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Opens predictors, which are closed with the test."""
    opened: list[Predictor] = []

    def connect_to(host: str, protocol: Any, **settings: Any) -> Predictor:
        settings = {"predictor_host": host, "predictor_protocol": protocol, **settings}
        opened.append(open_predictor(RemoteSettings(**settings)))
        return opened[-1]

    yield connect_to
    for predictor in opened:
        await predictor.close()


class Passage:
    """A port that passes connections on to a server, but breaks the first of them, or ends TLS before it."""

    def __init__(self, host: str, *, broken: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._target = host.split(":")
        self._broken, self._tls = broken, tls
        self.connections = 0

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0, ssl=self._tls)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            if self.connections <= self._broken:
                await reader.read(1)  # somebody asks, and is hung up on
                return
            host, port = self._target
            there, back = await asyncio.open_connection(host, int(port))
            with contextlib.closing(back):
                await asyncio.wait(
                    [asyncio.ensure_future(_pump(reader, back)), asyncio.ensure_future(_pump(there, writer))],
                    return_when=asyncio.FIRST_COMPLETED,
                )

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()


@pytest.fixture
async def passage() -> AsyncIterator[Callable[..., Passage]]:
    """Makes passages, which are closed with the test."""
    made: list[Passage] = []

    def make(host: str, **arguments: Any) -> Passage:
        made.append(Passage(host, **arguments))
        return made[-1]

    yield make
    for one in made:
        await one.close()
