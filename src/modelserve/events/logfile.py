"""CloudEvents in a file: JSON Lines, each an event in structured mode (JSON event format, 3)."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import orjson

from modelserve.events.event import Event, EventError, Rejection
from modelserve.events.incoming import STRUCTURED, read_events
from modelserve.events.outgoing import structured_attributes

STANDARD_INPUT = "-"

_MOST_BYTES = 256 * 1024 * 1024
"""Of a line: a file without ends of lines must not fill the memory."""


def read_log(path: str | Path) -> Iterator[Event]:
    """The events of a file, as they are asked for; of ``-`` those of standard input. Empty lines are none.

    Raises:
        EventError: a line is no event; the message names the file and the line.
        OSError: the file cannot be read.
    """
    is_input = str(path) == STANDARD_INPUT
    with nullcontext(sys.stdin.buffer) if is_input else Path(path).open("rb") as stream:
        yield from _read(stream, "standard input" if is_input else str(path))


def _read(stream: BinaryIO, name: str) -> Iterator[Event]:
    number = 0
    while line := stream.readline(_MOST_BYTES + 1):
        number += 1
        if len(line) > _MOST_BYTES:
            raise EventError(
                Rejection.OVERSIZED,
                f"{name}, line {number}: it is longer than the {_MOST_BYTES} bytes that are accepted",
            )
        if not line.strip():
            continue
        try:
            (event,) = read_events({"content-type": STRUCTURED}, line)
        except EventError as error:
            raise EventError(error.rejection, f"{name}, line {number}: {error}") from error
        yield event


def write_log(stream: BinaryIO, events: Iterable[Event]) -> None:
    """Write a line for each event; data is base64, as JSON within JSON would not keep its bytes."""
    for event in events:
        stream.write(_line(event))


def _line(event: Event) -> bytes:
    document = {**structured_attributes(event), "data_base64": b64encode(event.data).decode()}
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
