"""CloudEvents out of HTTP requests: binary, structured and batched.

Sections are those of CloudEvents 1.0.2, its HTTP protocol binding and its JSON event format.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote

import orjson

from modelserve.events.event import Event, EventError, Rejection

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"

MAX_BATCH = 1000
"""Events in one request: a batch is read as a whole before it is acknowledged."""

MAX_VALUES = 1_000_000
"""In a structured event or a batch, counted by commas: as objects they take up to 250 bytes each."""

_REQUIRED = ("id", "source", "specversion", "type")
_KNOWN = frozenset({*_REQUIRED, "time", "datacontenttype", "dataschema", "subject"})
_NAME = re.compile(r"[a-z0-9]+")  # of an attribute (spec, Naming Conventions)
JSON_TYPE = re.compile(r"(application|text)/([\w.-]+\+)?json *(;.*)?", re.IGNORECASE)
# RFC 3339, of whose seconds Python keeps six places.
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:([Zz])|([+-]\d\d:\d\d))", re.ASCII
)
_ACCEPTED = (
    "a CloudEvent 1.0 is accepted: attributes as ce- headers (binary mode), or "
    f"Content-Type {STRUCTURED} or {BATCH}"
)


def read_events(headers: Mapping[str, str], body: bytes) -> list[Event]:
    """The events of an HTTP request.

    Args:
        headers: of the request, by lower-case names.
        body: of the request, whole.

    Raises:
        EventError: it is no event, or one of a batch is none; then nothing of the batch is taken.
    """
    content_type = headers.get("content-type", "")
    mode = content_type.partition(";")[0].strip().lower()
    # The content type decides (HTTP, 3): a structured event's attributes may be repeated as headers (3.2.3).
    if mode == BATCH:
        return _read_batch(body)
    if mode == STRUCTURED:
        return [_structured(_load(body))]
    if mode.startswith("application/cloudevents"):
        raise _malformed(f"Content-Type is {mode[:100]!r}; {_ACCEPTED}")
    if "ce-specversion" not in headers:
        raise _malformed(f"there is no header ce-specversion; {_ACCEPTED}")
    attributes: dict[str, Any] = {
        name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    if content_type:
        attributes["datacontenttype"] = content_type
    return [_event(attributes, body)]


def _read_batch(body: bytes) -> list[Event]:
    batch = _load(body)
    if not isinstance(batch, list):
        raise _malformed("the batch is no JSON array; an array of events is accepted")
    if len(batch) > MAX_BATCH:
        raise EventError(
            Rejection.OVERSIZED, f"the batch holds {len(batch)} events; at most {MAX_BATCH} are accepted"
        )
    return [_structured(one) for one in batch]


def _load(body: bytes) -> Any:
    if body.count(b",") > MAX_VALUES:
        raise EventError(
            Rejection.OVERSIZED,
            f"the body's JSON has more than {MAX_VALUES} commas; larger data is accepted in binary mode",
        )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _malformed(f"the body is no JSON ({error}); {_ACCEPTED}") from error


def _structured(document: Any) -> Event:
    if not isinstance(document, dict):
        raise _malformed("an event is no JSON object; objects are accepted")
    attributes = {name: value for name, value in document.items() if value is not None}
    data, encoded = attributes.pop("data", None), attributes.pop("data_base64", None)
    content_type = str(attributes.get("datacontenttype", "application/json"))
    if encoded is not None:
        if data is not None:
            raise _malformed("an event has both data and data_base64; one of them is accepted")
        payload = _from_base64(encoded)
    elif data is None:
        payload = b""
    elif isinstance(data, str) and not JSON_TYPE.fullmatch(content_type):
        payload = data.encode()
    else:
        payload = orjson.dumps(data)  # a JSON value within the event's own JSON (JSON format, 3.1)
    return _event(attributes, payload)


def _from_base64(encoded: object) -> bytes:
    try:
        return b64decode(str(encoded).encode(), validate=True)
    except binascii.Error as error:
        raise _malformed("data_base64 is no base64; that of RFC 4648, section 4, is accepted") from error


def _event(attributes: dict[str, Any], data: bytes) -> Event:
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing:
        raise _malformed(f"the event has no {' and no '.join(missing)}; {_ACCEPTED}")
    for name, value in attributes.items():
        if not _NAME.fullmatch(name):
            raise _malformed(
                f"attribute {name[:40]!r} is no name; lower-case letters and digits are accepted"
            )
        if name in _KNOWN and not isinstance(value, str):
            raise _malformed(f"attribute {name} is no text; a string is accepted")
    if attributes["specversion"] != "1.0":
        raise _malformed(f"specversion is {attributes['specversion'][:20]!r}; '1.0' is accepted")
    return Event(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        time=_time(attributes["time"]) if "time" in attributes else datetime.now(timezone.utc),
        data=data,
        content_type=attributes.get("datacontenttype"),
        subject=attributes.get("subject"),
        extensions={name: _text(value) for name, value in attributes.items() if name not in _KNOWN},
    )


def _text(value: Any) -> str:
    """An extension's value as it would be in a header: JSON has numbers and truth values besides (2.2)."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _time(text: str) -> datetime:
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError("it has another form")
        day, clock, fraction, _, offset = match.groups()
        return datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0'):0<6}{offset or '+00:00'}")
    except ValueError as error:
        raise _malformed(
            f"time is {text[:50]!r} ({error}); RFC 3339's, as 2026-11-25T17:06:38.41Z, is accepted"
        ) from error


def _malformed(sentence: str) -> EventError:
    return EventError(Rejection.MALFORMED, sentence)
