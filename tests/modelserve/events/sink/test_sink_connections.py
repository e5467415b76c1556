"""Senders that stop, dawdle, go away, hurry or speak something else."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest

from modelserve.server import http_server

ACCEPTED = b"HTTP/1.1 202 Accepted"


def head(agent: Any, *lines: str) -> bytes:
    """Of an event, as it goes on the wire."""
    fields = [f"{name}: {value}" for name, value in agent().items()]
    return "\r\n".join(["POST / HTTP/1.1", "host: sink", *fields, *lines, "", ""]).encode()


def read_until(connection: socket.socket, mark: bytes, count: int = 1) -> bytes:
    """What comes until the mark was there so often, or until the end."""
    read = b""
    while read.count(mark) < count and (some := connection.recv(65536)):
        read += some
    return read


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_requests_one_after_the_other_without_waiting(sink: Any, agent: Any) -> None:
    with sink.connect() as connection:
        connection.sendall(b"".join(head(agent, "content-length: 2") + b"%02d" % n for n in range(50)))
        assert read_until(connection, ACCEPTED, 50).count(ACCEPTED) == 50
    sink.ends_with(taken=50)
    assert [m.body for m in sink.consumer.messages] == [b"%02d" % n for n in range(50)]


def test_a_body_in_chunks_byte_by_byte(sink: Any, agent: Any) -> None:
    with sink.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head(agent, "transfer-encoding: chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert ACCEPTED in read_until(connection, b"\r\n\r\n")
    sink.ends_with(taken=1)
    assert sink.consumer.messages[0].body == b"abcde"


def test_a_sender_that_asks_before_it_sends(sink: Any, agent: Any) -> None:
    with sink.connect() as connection:
        connection.sendall(head(agent, "content-length: 2", "expect: 100-continue"))
        assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert ACCEPTED in read_until(connection, b"\r\n\r\n")
        connection.sendall(head(agent, "content-length: 99999999", "expect: 100-continue"))
        assert b"413" in read_until(connection, b"accepted")
    sink.ends_with(taken=1, oversized=1)


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_a_sender_that_goes_away(sink: Any, agent: Any, size: int) -> None:
    with sink.connect() as connection:
        connection.sendall(head(agent, "content-length: 400000") + b"x" * size)
        sink.eventually(lambda: sink.gauge("queue_bytes") == size)
    sink.ends_with(incomplete=1)
    assert sink.post().status_code == 202


def test_a_chunk_that_is_none_ends_the_connection(sink: Any, agent: Any) -> None:
    with sink.connect() as connection:
        connection.sendall(head(agent, "transfer-encoding: chunked") + b"3\r\nabc\r\nno number")
        assert b'{"error":' in read_until(connection, b"}")
        assert is_closed(connection)
    sink.ends_with(incomplete=1)


def test_what_is_no_http(sink: Any) -> None:
    with sink.connect() as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = read_until(connection, b"}")
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"content-type: application/json" in answer
        assert b"is no HTTP/1.1 request" in answer
        assert is_closed(connection)
    assert sink.outcomes() == {}


def test_a_head_without_end(sink: Any) -> None:
    with sink.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: sink\r\nx: ")
        answer = b""
        connection.settimeout(0.01)
        for _ in range(3000):
            try:
                connection.sendall(b"x" * 1000)
                answer += connection.recv(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if b"}" in answer:
                break
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b"bytes are accepted" in answer
    sink.ends_with(oversized=1)


@pytest.mark.parametrize(
    ("sent", "outcomes"),
    [
        (b"", {}),
        (b"\r\n", {}),
        (b"POST / HTTP/1.1\r\nhost:", {}),
        (b"POST / HTTP/1.1\r\nhost: sink\r\ncontent-length: 10\r\n\r\nabc", {"incomplete": 1}),
    ],
)
def test_a_sender_that_stops(start_sink: Any, sent: bytes, outcomes: Any) -> None:
    sink = start_sink(read_seconds=0.3)
    with sink.connect() as connection:
        connection.sendall(sent)
        assert is_closed(connection)
    sink.ends_with(**outcomes)


def test_a_quiet_connection_is_not_cut_off(start_sink: Any, agent: Any) -> None:
    sink = start_sink(read_seconds=0.1)
    with sink.connect() as quiet, sink.connect() as silent:
        quiet.sendall(head(agent, "content-length: 0"))
        assert ACCEPTED in read_until(quiet, b"\r\n\r\n")
        assert is_closed(silent), "the time of those that send nothing has passed"
        quiet.sendall(head(agent, "content-length: 0"))
        assert ACCEPTED in read_until(quiet, b"\r\n\r\n")


def test_a_connection_too_many(start_sink: Any, agent: Any) -> None:
    sink = start_sink(connections=2)
    sink.client.get("/health/live")  # has one of both, and keeps it
    with sink.connect() as second, sink.connect() as third:
        second.sendall(head(agent, "content-length: 0"))
        assert ACCEPTED in read_until(second, b"\r\n\r\n")
        answer = read_until(third, b"}")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in answer
        assert is_closed(third)
    assert sink.outcomes()["refused"] == 1

    def is_taken() -> bool:
        with sink.connect() as fourth, contextlib.suppress(ConnectionError):
            fourth.sendall(head(agent, "content-length: 0"))
            return ACCEPTED in read_until(fourth, b"\r\n\r\n")
        return False

    sink.eventually(is_taken)
    sink.eventually(lambda: sink.outcomes().get("taken") == 2)


def test_a_client_that_would_rather_speak_http_2(sink: Any, agent: Any) -> None:
    """As Java's does in its first request."""
    with sink.connect() as connection:
        lines = (
            "content-length: 2",
            "connection: upgrade, http2-settings",
            "upgrade: h2c",
            "http2-settings: AA",
        )
        connection.sendall(head(agent, *lines) + b"{}")
        assert ACCEPTED in read_until(connection, b"\r\n\r\n")
        connection.sendall(head(agent, "content-length: 2") + b"{}")
        assert ACCEPTED in read_until(connection, b"\r\n\r\n")
    sink.ends_with(taken=2)


@pytest.mark.parametrize("sent", [b"1;", b"1\r\nx\r\n0\r\n"], ids=["extension", "trailers"])
def test_what_is_no_body_without_end(sink: Any, agent: Any, sent: bytes) -> None:
    more = b"a: b\r\n" * 700 if sent.endswith(b"\n") else b"x" * 4096
    with sink.connect() as connection:
        connection.sendall(head(agent, "transfer-encoding: chunked") + sent)
        with contextlib.suppress(ConnectionError):
            for _ in range(5000):
                connection.sendall(more)
            pytest.fail("20 MB were taken")
    sink.ends_with(incomplete=1)


def test_a_connection_that_is_silent_after_a_late_body_is_closed(
    start_sink: Any, agent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "KEEP_ALIVE_SECONDS", 0.2)
    sink = start_sink(max_event_bytes=10)
    with sink.connect() as connection:
        connection.sendall(head(agent, "content-length: 11"))
        assert b"413" in read_until(connection, b'included"}')
        connection.sendall(b"x" * 11)
        assert is_closed(connection)


def test_a_slow_sender_at_the_end_is_cut_off_without_a_traceback(
    start_sink: Any, agent: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sink = start_sink(grace_seconds=0.5)
    with sink.connect() as connection:
        connection.sendall(head(agent, "content-length: 500000") + b"x" * 300_000)
        sink.eventually(lambda: sink.gauge("queue_bytes") > 0)
        sink.stop()
        assert is_closed(connection)
    assert sink.outcomes() == {"incomplete": 1}
    assert "Traceback" not in caplog.text
