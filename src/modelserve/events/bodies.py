"""Bodies of the log, which has them as they were sent and none of their headers.

So neither whether a body is compressed is told, nor how long the JSON part of a V2 body is: both are seen
from what it begins with.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from modelserve.errors import InvalidInput
from modelserve.protocol.compressed import unpack
from modelserve.protocol.rest import RawTensors

MOST_UNPACKED = 64 * 1024 * 1024
"""Bytes of a body that was compressed: as many as a server of this package takes, unless told otherwise."""

_MAGIC = {b"\x1f\x8b": "gzip", b"\x78": "deflate"}
"""What compressed bodies begin with (RFC 1952, section 2.3.1; RFC 1950, section 2.2), and JSON does not."""

_BLANKS = b" \t\r\n"
_FIRST_LOOK = 64 * 1024
"""Bytes in which the JSON part of nearly every binary body ends."""


def plain(body: bytes) -> bytes:
    """A body, unpacked where the client had compressed it.

    Raises:
        InvalidInput: it does not unpack.
        TooLarge: it unpacks to more than ``MOST_UNPACKED`` bytes.
    """
    for magic, encoding in _MAGIC.items():
        if body.startswith(magic):
            return unpack(body, encoding, max_bytes=MOST_UNPACKED)
    return body


def json_length(body: bytes) -> int | None:
    """How long the JSON part of a plain V2 body is in bytes; None where it is JSON as a whole.

    Raises:
        InvalidInput: it does not begin with JSON.
    """
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return _json_end(body)[1]
    return None


def parse_body(body: bytes) -> tuple[dict[str, Any], RawTensors | None]:
    """The JSON part of a plain body and the raw tensors that follow it, None where nothing does.

    Raises:
        InvalidInput: it does not begin with a JSON object.
    """
    try:
        message, raw = orjson.loads(body), None
    except orjson.JSONDecodeError:
        message, end = _json_end(body)
        raw = RawTensors(memoryview(body)[end:])
    if not isinstance(message, dict):
        raise InvalidInput("a payload is no JSON object")
    return message, raw


def _json_end(body: bytes) -> tuple[Any, int]:
    """The JSON value that a body begins with, blanks before it or not, and where it ends."""
    begin = len(body) - len(body.lstrip(_BLANKS))
    size = _FIRST_LOOK
    while True:
        # A byte is a character here, so that places are the same; what JSON is made of is ASCII.
        prefix = body[: begin + size].decode("latin-1")
        try:
            _, end = json.JSONDecoder().raw_decode(prefix, begin)
            return orjson.loads(body[:end]), end
        except (ValueError, RecursionError) as error:
            if begin + size >= len(body):
                raise InvalidInput("a payload does not begin with JSON") from error
        size *= 8
