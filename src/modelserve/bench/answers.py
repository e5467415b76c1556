"""Where an HTTP/1.1 answer ends, read with as little work as that takes.

A general parser spends more on an answer than the generator may: it calls back for each header.
"""

from __future__ import annotations

from dataclasses import dataclass

_HEAD_END = b"\r\n\r\n"
_CHUNKED, _UNTIL_CLOSE = -1, -2
"""What stands in the place of a length where there is none."""


class MalformedAnswer(ValueError):
    """The bytes are no HTTP/1.1 answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; after one that does not keep alive, the connection takes no more calls."""

    status: int
    body: bytes
    keeps_alive: bool


class AnswerReader:
    """Takes one answer at a time out of a connection's bytes; calls are not pipelined."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._forget()

    def _forget(self) -> None:
        self._buffer.clear()
        self._length: int | None = None
        self._status = 0
        self._keeps_alive = True
        self._position = 0
        self._chunks: list[bytes] = []

    @property
    def has_begun(self) -> bool:
        """Whether some bytes of an answer have come, and not all of them."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Answer | None:
        """Take bytes; the answer, when they were its last ones.

        Raises:
            MalformedAnswer: they are no HTTP/1.1 answer, or more than one.
        """
        self._buffer += data
        while self._length is None:
            if not self._read_head():
                return None
        if self._length >= 0:
            missing = self._position + self._length - len(self._buffer)
            if missing < 0:
                raise MalformedAnswer("bytes follow the answer's body")
            return None if missing else self._answer(bytes(self._buffer[self._position :]))
        if self._length == _CHUNKED and self._read_chunks():
            return self._answer(b"".join(self._chunks))
        return None

    def end(self) -> Answer | None:
        """The connection ended; the answer, if that is how its body ends."""
        if self._length != _UNTIL_CLOSE:
            return None
        self._keeps_alive = False
        return self._answer(bytes(self._buffer[self._position :]))

    def _answer(self, body: bytes) -> Answer:
        answer = Answer(self._status, body, self._keeps_alive)
        self._forget()
        return answer

    def _read_head(self) -> bool:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return False
        head = bytes(self._buffer[: end + 2]).lower()
        if not (head.startswith(b"http/1.") and head[9:12].isdigit()):
            raise MalformedAnswer(f"an answer begins with {head[:20]!r}")
        if head[9:10] == b"1":  # "100 Continue" and its like come before the answer
            del self._buffer[: end + len(_HEAD_END)]
            return True
        self._status, self._position = int(head[9:12]), end + len(_HEAD_END)
        connection = _field(head, b"connection")
        self._keeps_alive = b"close" not in connection and (
            head.startswith(b"http/1.1") or b"keep-alive" in connection
        )
        length = _field(head, b"content-length")
        if b"chunked" in _field(head, b"transfer-encoding"):
            self._length = _CHUNKED
        elif self._status in (204, 304):
            self._length = 0
        elif not length:
            self._length = _UNTIL_CLOSE
        elif length.isdigit():
            self._length = int(length)
        else:
            raise MalformedAnswer(f"an answer's Content-Length is {length[:20]!r}")
        return True

    def _read_chunks(self) -> bool:
        """Take whole chunks out of the buffer; whether the last one was among them."""
        while True:
            line_end = self._buffer.find(b"\r\n", self._position)
            if line_end < 0:
                return False
            size_text = bytes(self._buffer[self._position : line_end]).partition(b";")[0].strip()
            try:
                size = int(size_text, 16)
            except ValueError as error:
                raise MalformedAnswer(f"a chunk's size is {size_text[:20]!r}") from error
            start = line_end + 2
            if size == 0:
                # Trailers end with an empty line; without any, it follows at once.
                trailers = self._buffer[line_end:]
                return trailers.startswith(_HEAD_END) or _HEAD_END in trailers
            if len(self._buffer) < start + size + 2:
                return False
            self._chunks.append(bytes(self._buffer[start : start + size]))
            self._position = start + size + 2


def _field(head: bytes, name: bytes) -> bytes:
    """A header's value in lower case; empty where there is none."""
    start = head.find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    start += len(name) + 3
    return head[start : head.index(b"\r\n", start)].strip()
