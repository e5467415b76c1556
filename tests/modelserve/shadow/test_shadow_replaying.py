"""Requests sent again, to servers that answer and to those that do not."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from modelserve.events import LoggedMessage, Pair, Side
from modelserve.events.payloads import read_call
from modelserve.shadow.replaying import Failure, Replayer, is_replay

Open = Callable[..., Replayer]


@pytest.fixture
async def replayer() -> AsyncIterator[Open]:
    """Opens replayers, which are closed with the test."""
    opened: list[Replayer] = []

    def open_one(url: str, **arguments: Any) -> Replayer:
        opened.append(Replayer(url, **arguments))
        return opened[-1]

    yield open_one
    for one in opened:
        await one.close()


async def replay(replayer: Replayer, pair: Pair) -> LoggedMessage | Failure:
    logged = read_call(pair)
    model = replayer.model_of(logged)
    assert model is not None
    return await replayer.replay(pair.request, logged, model)


async def test_a_request_of_v2_goes_out_as_it_came(
    start_target: Any, answering: Any, calls: Any, replayer: Open
) -> None:
    target = await start_target(answering(calls.answer(("PER", 0, 13))))
    pair = calls.pair(1, calls.answer())
    answer = await replay(replayer(target.url), pair)
    assert isinstance(answer, LoggedMessage)
    assert (answer.side, answer.id, answer.component) == (Side.RESPONSE, "call-1", pair.component)
    assert answer.body == calls.answer(("PER", 0, 13))
    assert answer.time > pair.request.time
    (received,) = target.received
    assert received.path == "/v2/models/bert-ner/infer"
    assert received.body == pair.request.body
    assert received.headers["content-type"] == "application/json"
    assert received.headers["x-modelserve-shadow"] == "true"
    assert "inference-header-content-length" not in received.headers


async def test_a_request_of_v1_needs_a_name(
    start_target: Any, answering: Any, calls: Any, replayer: Open
) -> None:
    target = await start_target(answering(calls.answer_v1()))
    pair = calls.pair(1, calls.answer_v1(), request=b'{ "instances": ["a  text"] }')
    assert replayer(target.url).model_of(read_call(pair)) is None
    assert isinstance(await replay(replayer(target.url, model="a/b"), pair), LoggedMessage)
    (received,) = target.received
    assert received.path == "/v1/models/a%2Fb:predict"
    assert received.body == b'{ "instances": ["a  text"] }'


async def test_raw_tensors_come_with_the_length_of_what_is_before_them(
    start_target: Any, answering: Any, calls: Any, replayer: Open
) -> None:
    raw = (6).to_bytes(4, "little") + b"a text"
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(raw)}}
    head = orjson.dumps({"inputs": [tensor]})
    target = await start_target(answering(calls.answer()))
    await replay(replayer(target.url), calls.pair(1, calls.answer(), request=head + raw))
    (received,) = target.received
    assert received.body == head + raw
    assert received.headers["content-type"] == "application/octet-stream"
    assert received.headers["inference-header-content-length"] == str(len(head))


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_a_request_that_was_compressed_goes_out_unpacked(
    pack: Callable[[bytes], bytes], start_target: Any, answering: Any, calls: Any, replayer: Open
) -> None:
    """The log has none of its headers: a server could not tell what it is."""
    target = await start_target(answering(calls.answer()))
    pair = calls.pair(1, calls.answer())
    packed = calls.pair(1, calls.answer(), request=pack(pair.request.body))
    assert isinstance(await replay(replayer(target.url), packed), LoggedMessage)
    (received,) = target.received
    assert received.body == pair.request.body
    assert "content-encoding" not in received.headers


@pytest.mark.parametrize("name", ["call-1", "Größe\r\nHost: x", "%" * 100_000])
async def test_a_replay_that_is_logged_is_known_by_its_id(
    name: str, start_target: Any, answering: Any, calls: Any, replayer: Open
) -> None:
    target = await start_target(answering(calls.answer()))
    pair = calls.pair(1, calls.answer())
    request = replace(pair.request, id=name)
    assert isinstance(await replay(replayer(target.url), Pair(request, pair.response)), LoggedMessage)
    (received,) = target.received
    logged = replace(request, id=received.headers["ce-id"])
    assert is_replay(logged)
    assert not is_replay(request)


async def test_another_name_and_another_host(
    start_target: Any, answering: Any, calls: Any, replayer: Open
) -> None:
    target = await start_target(answering(calls.answer()))
    one = replayer(target.url + "/prefix/", model="bert-ner-2", host_header="latest-bert-ner.default.example")
    await replay(one, calls.pair(1, calls.answer()))
    (received,) = target.received
    assert received.path == "/prefix/v2/models/bert-ner-2/infer"
    assert received.headers["host"] == "latest-bert-ner.default.example"


@pytest.mark.parametrize("status", ["500 Internal Server Error", "429 Too Many", "204 No", "302 Found"])
async def test_other_statuses_are_no_answers(
    status: str, start_target: Any, answering: Any, calls: Any, replayer: Open
) -> None:
    target = await start_target(answering(calls.answer(), status))
    assert await replay(replayer(target.url), calls.pair(1, calls.answer())) == Failure(status[:3])
    assert len(target.received) == 1, "nothing is tried again"


async def test_nobody_listens(calls: Any, replayer: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    one = replayer(f"http://127.0.0.1:{port}")
    assert await replay(one, calls.pair(1, calls.answer())) == Failure("unreachable")


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_a_server_that_breaks_off(begin: bytes, start_target: Any, calls: Any, replayer: Open) -> None:
    async def reply(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        await writer.drain()
        writer.close()

    target = await start_target(reply)
    assert await replay(replayer(target.url), calls.pair(1, calls.answer())) == Failure("lost")
    assert len(target.received) == 1


async def test_an_answer_that_drips_in_is_given_up_as_a_whole(
    start_target: Any, calls: Any, replayer: Open
) -> None:
    """Each of its bytes is in time, and all of them are not."""

    async def reply(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    target = await start_target(reply)
    one = replayer(target.url, timeout_seconds=0.2, at_once=1)
    assert await replay(one, calls.pair(1, calls.answer())) == Failure("timeout")
    assert await replay(one, calls.pair(2, calls.answer())) == Failure("timeout"), (
        "its connection is free again"
    )
    assert len(target.received) == 2


async def test_an_answer_without_an_end(
    start_target: Any, calls: Any, replayer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelserve.shadow.replaying._MOST_BYTES", 1_000_000)

    async def reply(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            await writer.drain()

    target = await start_target(reply)
    assert await replay(replayer(target.url), calls.pair(1, calls.answer())) == Failure("oversized")
