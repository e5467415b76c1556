"""What the routes of V1 and V2 share: answers, documentation, limits and deadlines."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Request, Response

from modelserve.errors import InvalidInput

TIMEOUT_HEADER = "x-request-timeout-ms"

_REFUSALS = {
    400: "The request is malformed or does not fit the model.",
    404: "There is no such model, version or path.",
    413: "The body, batch, text or image is over its limit.",
    429: "The queue is full; `Retry-After` says how many seconds to wait.",
    503: "The model is not loaded, or the server is draining.",
    504: "The caller's deadline passed in the queue.",
}


def reply(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def document(
    answer: str, *, body: str | None = None, refusals: tuple[int, ...] = (404,), note: str = ""
) -> dict[str, Any]:
    """What a route's OpenAPI entry holds: names of schemas, and the refusals' statuses."""

    def json(schema: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}

    extra: dict[str, Any] = {}
    if body is not None:
        extra["requestBody"] = {"required": True, "description": note, "content": json(body)}
    responses: dict[int | str, Any] = {200: {"description": "The answer.", "content": json(answer)}}
    for status in refusals:
        responses[status] = {"description": _REFUSALS[status], "content": json("Error")}
    return {"responses": responses, "openapi_extra": extra, "response_model": None}


INFERENCE_REFUSALS = (400, 404, 413, 429, 503, 504)


def timeout_seconds(request: Request) -> float | None:
    """What the caller allows for the call, from the header ``X-Request-Timeout-Ms``; None without it.

    Raises:
        InvalidInput: the header is no positive number.
    """
    value = request.headers.get(TIMEOUT_HEADER)
    if value is None:
        return None
    try:
        milliseconds = float(value)
    except ValueError:
        milliseconds = 0.0
    if not 0 < milliseconds < 1e9:
        raise InvalidInput(
            f"header X-Request-Timeout-Ms is {value[:40]!r}; a positive number of milliseconds is accepted"
        )
    return milliseconds / 1000
