"""CloudEvents into HTTP requests, in binary mode: what every sink takes (HTTP binding, 3.1)."""

from __future__ import annotations

from urllib.parse import quote

from modelserve.events.event import Event

_AS_IT_IS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""What a header holds unchanged; a space, a quotation mark, a percent sign and all else is not (3.1.3.2)."""


def write_event(event: Event) -> tuple[dict[str, str], bytes]:
    """The headers, by lower-case names, and the body of a request that carries an event."""
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
    headers = {f"ce-{name}": quote(value, safe=_AS_IT_IS) for name, value in attributes.items()}
    if event.content_type is not None:
        headers["content-type"] = event.content_type
    return headers, event.data
