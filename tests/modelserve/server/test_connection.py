"""Heads and trailers without end, written byte by byte to the model server's REST port."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

PATH = b"/v2/models/echo/infer"
CHUNKED = b"POST %b HTTP/1.1\r\nhost: server\r\ntransfer-encoding: chunked\r\n" % PATH


async def flood(port: int, begin: bytes, more: bytes) -> bytes:
    """Send without end, and return what is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(begin)
        for _ in range(5000):
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(0)
        pytest.fail("20 MB were taken")
    except ConnectionError:
        pass
    try:
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:  # its bytes were on their way when it was closed
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "begin",
    [CHUNKED, CHUNKED + b"\r\n1\r\nx\r\n0\r\n", CHUNKED + b"\r\n1;"],
    ids=["headers", "trailers", "extension"],
)
async def test_what_has_no_end_is_refused(echo: Any, serve: Any, begin: bytes) -> None:
    served = await serve(echo)
    more = b"x" * 4096 if begin.endswith(b";") else b"name: value\r\n" * 400
    answer = await flood(served.http_port, begin, more)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


async def test_the_refusal_says_what_is_accepted(echo: Any, serve: Any) -> None:
    served = await serve(echo)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.http_port)
    writer.write(CHUNKED + b"x: " + b"y" * 66_000)
    await asyncio.sleep(0.2)  # it is read: what comes after the refusal would break the connection
    writer.write(b"y")
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert answer.endswith(b"""{"error":"the request's head is too large; 65536 bytes are accepted"}""")


async def test_a_long_body_in_small_chunks_with_trailers_is_taken(echo: Any, serve: Any) -> None:
    served = await serve(echo)
    body = b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}' + b" " * 200_000
    reader, writer = await asyncio.open_connection("127.0.0.1", served.http_port)
    writer.write(CHUNKED + b"\r\n")
    for start in range(0, len(body), 100):
        writer.write(b"%x;n=v\r\n%b\r\n" % (len(body[start : start + 100]), body[start : start + 100]))
        await writer.drain()
    writer.write(b"0\r\nname: value\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    writer.close()
    assert head.startswith(b"HTTP/1.1 200 ")
