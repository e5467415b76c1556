"""What is asked: V2 requests in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from modelserve.errors import ModelServeError


class NoProbes(ModelServeError):
    """A file that has no requests to send; the message says what is accepted."""


def read_requests(path: Path) -> Sequence[bytes]:
    """The bodies of V2 requests, in JSON.

    Args:
        path: of a file with one request, or with one on each line.

    Raises:
        NoProbes: it has none, or something else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NoProbes(f"{path} cannot be read: {error.strerror}") from error
    if _is_request(content):
        return [content]
    lines = [line for line in content.splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        if not _is_request(line):
            raise NoProbes(
                f"line {number} of {path} is no V2 request; a JSON object with 'inputs' is accepted, or one "
                "on each line"
            )
    if not lines:
        raise NoProbes(f"{path} is empty; a V2 request in JSON is accepted, or one on each line")
    return lines


def _is_request(content: bytes) -> bool:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and isinstance(found.get("inputs"), list)
