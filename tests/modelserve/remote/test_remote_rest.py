"""What only a predictor over REST can do: answers of proxies and of other servers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import numpy as np
import pytest

from modelserve.errors import Overloaded, PredictorFailed, RequestError, TooLarge, Unavailable
from modelserve.protocol.messages import InferenceRequest, Tensor
from modelserve.remote.rest import RestPredictor

CALL = InferenceRequest("a/b c", (Tensor("x", "FP32", np.ones(3, "<f4")),))

HTML = b"<html><body>502 Bad Gateway</body></html>"


class Answering:
    """A server that gives these answers, first to last, and the last one again."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests: list[str] = []

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = head.partition("content-length: ")[2].partition("\r\n")[0]
            await reader.readexactly(int(length))
            self.requests.append(head)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            writer.write(answer)
            await writer.drain()

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()


def answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} _", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


GOOD = answer(200, b'{"model_name":"m","outputs":[{"name":"y","datatype":"INT8","shape":[2],"data":[1,2]}]}')

Ask = Callable[..., Awaitable[list[int]]]


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Asks a server that gives these answers."""
    servers: list[Answering] = []

    async def asked(*answers: bytes, requests: list[str] | None = None) -> list[int]:
        servers.append(Answering(*answers))
        host = await servers[-1].open()
        predictor = RestPredictor(host, use_ssl=False, timeout_seconds=20, connections=4)
        try:
            response = await predictor.infer(CALL, timeout_seconds=None)
        finally:
            await predictor.close()
            if requests is not None:
                requests += servers[-1].requests
        values: list[int] = response.outputs[0].array.tolist()
        return values

    yield asked
    for server in servers:
        await server.close()


async def test_a_request_names_its_model_and_wants_no_compression(ask: Ask) -> None:
    requests: list[str] = []
    assert await ask(GOOD, requests=requests) == [1, 2]
    (head,) = requests
    assert head.startswith("post /v2/models/a%2fb%20c/infer http/1.1\r\n")
    assert "\r\naccept-encoding: identity\r\n" in head
    assert "\r\ncontent-type: application/octet-stream\r\n" in head


@pytest.mark.parametrize("status", [502, 503])
async def test_a_gateway_that_finds_no_pod_is_asked_again(ask: Ask, status: int) -> None:
    requests: list[str] = []
    nobody = answer(status, b"no healthy upstream")
    assert await ask(nobody, nobody, GOOD, requests=requests) == [1, 2]
    left = [int(head.partition("x-request-timeout-ms: ")[2].partition("\r\n")[0]) for head in requests]
    assert len(left) == 3
    assert 20_000 >= left[0] > left[1] > left[2]


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        (answer(503, b"no healthy upstream"), Unavailable, "predictor: no healthy upstream"),
        (answer(502, HTML), PredictorFailed, "the predictor answered 502: <html>"),
        (answer(413, b""), TooLarge, "predictor: no reason was given"),
        (answer(301, b"", "Location: https://x/"), PredictorFailed, "the predictor answered 301: no reason"),
        (answer(500, b'{"detail": "oh"}'), PredictorFailed, "the predictor answered 500: {'detail': 'oh'}"),
        (answer(500, b'["oh"]'), PredictorFailed, "the predictor answered 500: ['oh']"),
        (answer(500, b"\xff\xfe"), PredictorFailed, "the predictor answered 500"),
        (answer(500, b"x" * 10_000), PredictorFailed, "xxx"),
        (answer(200, HTML), PredictorFailed, "the predictor's answer cannot be read"),
        (answer(200, b"{}", "Inference-Header-Content-Length: -2"), PredictorFailed, "cannot be read"),
        (answer(200, b"no gzip", "Content-Encoding: gzip"), PredictorFailed, "cannot be unpacked"),
        (b"HTTP/1.1 200 _\r\nContent-Length: 99\r\n\r\n{}", Unavailable, "cannot be reached"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Unavailable, "cannot be reached"),
        (b"", Unavailable, "cannot be reached"),
    ],
)
async def test_other_answers_are_failures(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, given: bytes, error: type[RequestError], sentence: str
) -> None:
    monkeypatch.setattr("modelserve.remote.rest._PAUSES_SECONDS", (0, 0, 0))
    with pytest.raises(error) as raised:
        await ask(given)
    assert type(raised.value) is error
    assert sentence in str(raised.value)
    assert len(str(raised.value)) < 1100


@pytest.mark.parametrize(("header", "seconds"), [("12", 12), ("0", 1), ("3600", 60), ("soon", 1)])
async def test_an_overload_says_when_to_come_back(ask: Ask, header: str, seconds: int) -> None:
    with pytest.raises(Overloaded, match="predictor: full") as raised:
        await ask(answer(429, b'{"error": "full"}', f"Retry-After: {header}"))
    assert raised.value.retry_after_seconds == seconds
