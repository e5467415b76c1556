"""CloudEvents into HTTP requests, in binary mode as every sink takes it (HTTP, 3.1), and into JSON."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import quote

import orjson

from modelserve.events.event import Event
from modelserve.events.incoming import JSON_TYPE

_AS_IT_IS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""What a header holds unchanged; a space, a quotation mark, a percent sign and all else is not (3.1.3.2)."""


def write_event(event: Event) -> tuple[dict[str, str], bytes]:
    """The headers, by lower-case names, and the body of a request that carries an event."""
    headers = {f"ce-{name}": quote(value, safe=_AS_IT_IS) for name, value in _attributes(event).items()}
    if event.content_type is not None:
        headers["content-type"] = event.content_type
    return headers, event.data


def write_structured(event: Event) -> bytes:
    """An event as one line of JSON (JSON format, 3).

    Data that says it is JSON, and is, stands there as a value: as such it comes back, not byte for byte.
    Other data is in base64.
    """
    document = structured_attributes(event)
    value = _json_value(event)
    if value is not None:
        document["data"] = value
    else:
        document["data_base64"] = b64encode(event.data).decode()
    return orjson.dumps(document)


def structured_attributes(event: Event) -> dict[str, Any]:
    """What JSON has of an event beside its data."""
    attributes: dict[str, Any] = dict(_attributes(event))
    if event.content_type is not None:
        attributes["datacontenttype"] = event.content_type
    return attributes


def _attributes(event: Event) -> dict[str, str]:
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time.isoformat(),
        **event.extensions,
    }
    if event.subject is not None:
        attributes["subject"] = event.subject
    return attributes


def _json_value(event: Event) -> Any:
    """None for what is no JSON, and for null, which as a value would say that there is no data."""
    if event.content_type is None or not JSON_TYPE.fullmatch(event.content_type):
        return None
    try:
        return orjson.loads(event.data)
    except orjson.JSONDecodeError:
        return None
