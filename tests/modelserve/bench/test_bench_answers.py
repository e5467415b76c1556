"""Where an answer ends, however its bytes arrive."""

from __future__ import annotations

import pytest

from modelserve.bench.answers import Answer, AnswerReader, MalformedAnswer

WITH_LENGTH = b"HTTP/1.1 200 OK\r\ncontent-type: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"
TRAILERS = CHUNKED[:-2] + b"Digest: abc\r\nX: y\r\n\r\n"
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\n" + WITH_LENGTH


@pytest.mark.parametrize("data", [WITH_LENGTH, CHUNKED, TRAILERS, CONTINUED])
def test_an_answer_may_come_in_any_pieces(data: bytes) -> None:
    reader = AnswerReader()
    for _ in range(2):  # the reader takes the next answer as it took the first
        for cut in range(1, len(data)):
            assert reader.feed(data[:cut]) is None
            assert reader.feed(data[cut:]) == Answer(200, b"hello", keeps_alive=True)
        last = [reader.feed(data[i : i + 1]) for i in range(len(data))]
        assert last[:-1] == [None] * (len(data) - 1)
        assert last[-1] == Answer(200, b"hello", keeps_alive=True)


def test_whether_an_answer_has_begun() -> None:
    reader = AnswerReader()
    assert not reader.has_begun
    reader.feed(WITH_LENGTH[:1])
    assert reader.has_begun
    reader.feed(WITH_LENGTH[1:])
    assert not reader.has_begun


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    reader = AnswerReader()
    assert reader.feed(b"HTTP/1.1 200 OK\r\n\r\nhel") is None
    assert reader.feed(b"lo") is None
    assert reader.end() == Answer(200, b"hello", keeps_alive=False)


@pytest.mark.parametrize("data", [b"", WITH_LENGTH[:-1], CHUNKED[:-1], b"HTTP/1.1 200 OK\r\nX: y"])
def test_an_end_in_the_middle_is_no_answer(data: bytes) -> None:
    reader = AnswerReader()
    assert reader.feed(data) is None
    assert reader.end() is None


@pytest.mark.parametrize(
    ("head", "keeps_alive"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n", True),
    ],
)
def test_whether_the_connection_goes_on(head: bytes, keeps_alive: bool) -> None:
    answer = AnswerReader().feed(head + b"Content-Length: 0\r\n\r\n")
    assert answer == Answer(200, b"", keeps_alive)


def test_an_answer_without_a_body() -> None:
    assert AnswerReader().feed(b"HTTP/1.1 204 No Content\r\n\r\n") == Answer(204, b"", keeps_alive=True)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/1.1 2OO OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        WITH_LENGTH + b"!",
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        AnswerReader().feed(data)
