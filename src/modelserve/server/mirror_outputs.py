"""Where a mirror of the calls writes: to a sink by HTTP, or to a file."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from modelserve.events import Event, write_event, write_structured
from modelserve.server.workers import StartError

SEND_SECONDS = 2.0
"""For a sink to answer; the next events wait meanwhile."""

_MOST_OF_AN_ANSWER = 64 * 1024
"""Bytes: of a sink's answer no more is read."""


class Output(Protocol):
    """Takes events, on one thread."""

    def write(self, event: Event) -> None:
        """Write an event, or raise an exception."""
        ...

    def close(self) -> None:
        """Free what is held."""
        ...


class Refused(Exception):
    """A sink does not take an event."""


class HttpOutput:
    """Sends events to a sink, in binary mode, over a connection that stays open.

    Args:
        url: of the sink: a broker's, a drift detector's.
        timeout_seconds: for it to answer.
    """

    def __init__(self, url: str, *, timeout_seconds: float = SEND_SECONDS) -> None:
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=timeout_seconds)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def write(self, event: Event) -> None:
        """Send an event.

        Raises:
            Refused: the sink does not take it.
            OSError: it cannot be sent.
            HTTPException: what answers speaks no HTTP.
        """
        headers, body = write_event(event)
        is_old = self._connection.sock is not None
        try:
            self._send(headers, body)
        except ConnectionError:
            if not is_old:
                raise
            self._send(headers, body)  # the sink had closed the connection meanwhile, as servers do

    def _send(self, headers: dict[str, str], body: bytes) -> None:
        is_over = False
        try:
            self._connection.request("POST", self._target, body, headers)
            response = self._connection.getresponse()
            response.read(_MOST_OF_AN_ANSWER)
            is_over = response.isclosed()
        finally:
            if not is_over:
                self._connection.close()
        if not 200 <= response.status < 300:
            raise Refused(f"the sink answers {response.status} {response.reason}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class FileOutput:
    """Appends events to a file, each as a line of JSON, which several processes may do at once.

    Args:
        path: of the file.

    Raises:
        StartError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise StartError(f"--log_file {path} cannot be written: {error.strerror}") from error

    def write(self, event: Event) -> None:
        """Append an event.

        Raises:
            OSError: the disk is full or gone.
        """
        line = write_structured(event) + b"\n"
        if self._file.write(line) != len(line):
            raise OSError("the disk is full")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
