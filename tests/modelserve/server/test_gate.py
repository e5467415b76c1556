"""Calls that are refused by their heads, in the same words, and what follows on their connection."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PATH = "/v2/models/echo/infer"
BODY = b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}'


def head(path: str = PATH, *, size: int = len(BODY), verb: str = "POST", headers: str = "") -> bytes:
    return f"{verb} {path} HTTP/1.1\r\nHost: server\r\nContent-Length: {size}\r\n{headers}\r\n".encode()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One connection, whose bytes the test writes itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, *parts: bytes) -> None:
        self._writer.write(b"".join(parts))

    async def answer(self) -> Answer:
        read = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 20)
        first, *lines = read.decode().splitlines()[:-1]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await asyncio.wait_for(self._reader.readexactly(int(headers["content-length"])), 20)
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) .+", first)
        assert match is not None
        return Answer(int(match[1]), headers, body)

    async def is_closed(self) -> bool:
        return not await asyncio.wait_for(self._reader.read(1), 20)

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
async def served(echo: Any, serve: Any) -> Any:
    return await serve(echo)


@pytest.fixture
async def connection(served: Any) -> AsyncIterator[Connection]:
    one = Connection(*await asyncio.open_connection("127.0.0.1", served.http_port))
    yield one
    one.close()


@pytest.fixture
def full(echo: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Whether the model's queue is full, as the test sets it."""

    class Full:
        is_set = True

    monkeypatch.setattr(type(echo), "is_full", property(lambda _: Full.is_set))
    return Full


async def test_a_call_is_refused_before_its_body_comes(connection: Connection, full: Any) -> None:
    connection.send(head(size=300_000))
    refused = await connection.answer()
    assert refused.status == 429
    assert refused.headers["content-type"] == "application/json"
    assert int(refused.headers["retry-after"]) >= 1
    assert b"queue is full" in refused.body
    full.is_set = False
    connection.send(b"x" * 300_000, head(), BODY)
    assert (await connection.answer()).status == 200


@pytest.mark.parametrize("path", [PATH, "/v2/models/echo/versions/1/infer?a=b", "/v1/models/echo:predict"])
async def test_it_is_told_and_counted_as_behind_the_gate(
    served: Any, connection: Connection, full: Any, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.send(head(path), BODY)
    before = await connection.answer()
    assert served.carriers == [], "nothing was made for the call"
    monkeypatch.setattr(type(served.plane.tracing), "enabled", True)
    connection.send(head(path), BODY)
    behind = await connection.answer()
    assert len(served.carriers) == 1
    for answer in (before, behind):
        answer.headers.pop("date")
    assert before == behind
    body, _ = served.plane.metrics.expose("")
    protocol = path[1:3]
    labels = f'model="echo",outcome="overloaded",protocol="{protocol}",revision="predictor-1"'
    assert f"modelserve_requests_total{{{labels}}} 2.0" in body.decode()
    assert f'modelserve_request_seconds_count{{model="echo",protocol="{protocol}"' in body.decode()
    assert "modelserve_input_bytes_count" not in body.decode()
    assert served.plane.statistics("echo")["model_stats"][0]["inference_stats"]["fail"]["count"] == 2


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (head("/v2/models/other/infer"), 404),
        (head("/v2/models/echo/versions/2/infer"), 404),
        (head("/v2/models/echo/ready", verb="GET", size=0), 200),
        (head("/v2/models/echo%2F/infer"), 404),
        (head(f"/v2/models/echo/infer?{'x' * 600}"), 429),
    ],
    ids=["model", "version", "verb", "path", "long"],
)
async def test_what_else_is_wrong_or_right_is_told_behind_it(
    connection: Connection, full: Any, request_bytes: bytes, status: int
) -> None:
    connection.send(request_bytes, BODY if b"POST" in request_bytes else b"")
    assert (await connection.answer()).status == status


async def test_a_silent_connection_is_closed_though_the_body_came_late(
    echo: Any, serve: Any, full: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelserve.server.http_server.KEEP_ALIVE_SECONDS", 0.2)
    served = await serve(echo)
    connection = Connection(*await asyncio.open_connection("127.0.0.1", served.http_port))
    connection.send(head())
    assert (await connection.answer()).status == 429
    connection.send(BODY)
    assert await connection.is_closed()
    connection.close()


@pytest.mark.parametrize("leaving", [False, True])
async def test_a_connection_that_ends_is_closed_after_the_refusal(
    served: Any, connection: Connection, full: Any, leaving: bool
) -> None:
    served.plane.leaving = leaving
    connection.send(head(headers="" if leaving else "Connection: close\r\n"), BODY)
    answer = await connection.answer()
    assert (answer.status, answer.headers["connection"]) == (429, "close")
    assert await connection.is_closed()


async def test_a_call_behind_one_in_progress_waits_for_it(
    echo: Any, connection: Connection, full: Any
) -> None:
    full.is_set = False
    echo.go_on.clear()
    connection.send(head(), BODY)
    while not echo.timeouts:
        await asyncio.sleep(0.005)
    full.is_set = True
    connection.send(head(), BODY)
    await asyncio.sleep(0.05)
    echo.go_on.set()
    assert [(await connection.answer()).status for _ in range(2)] == [200, 429]


async def test_a_caller_may_hang_up_on_a_refusal(served: Any, connection: Connection, full: Any) -> None:
    connection.send(head(size=1000), b"some")
    assert (await connection.answer()).status == 429
    connection.close()
    other = Connection(*await asyncio.open_connection("127.0.0.1", served.http_port))
    other.send(head(), BODY)
    assert (await other.answer()).status == 429
    other.close()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_wherever_the_bytes_are_cut_each_call_has_its_answer(
    served: Any, full: Any, data: st.DataObject
) -> None:
    calls = [
        (head() + BODY, 429),
        (head(headers="X-Any: thing\r\n") + BODY, 429),
        (head("/v2/models/other/infer") + BODY, 404),
        (head("/v2/health/live", verb="GET", size=0), 200),
    ]
    chosen = data.draw(st.lists(st.sampled_from(calls), min_size=1, max_size=5))
    stream = b"".join(sent for sent, _ in chosen)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    connection = Connection(*await asyncio.open_connection("127.0.0.1", served.http_port))
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        connection.send(stream[start:end])
        await asyncio.sleep(0.001)
    assert [(await connection.answer()).status for _ in chosen] == [status for _, status in chosen]
    connection.close()
