"""What the routes of V1 and V2 share: answers, documentation, limits and deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request

from modelserve.errors import InvalidInput
from modelserve.exchange import Exchange
from modelserve.server.body import read_body
from modelserve.server.calls import account
from modelserve.server.dataplane import DataPlane
from modelserve.serving import ServedModel
from modelserve.telemetry.conventions import rest_call

AnswerT = TypeVar("AnswerT")

TIMEOUT_HEADER = "x-request-timeout-ms"

_REFUSALS = {
    400: "The request is malformed or does not fit the model.",
    404: "There is no such model, version or path.",
    413: "The body, batch, text or image is over its limit.",
    429: "The queue is full; `Retry-After` says how many seconds to wait.",
    502: "The predictor behind a transformer or an explainer failed.",
    503: "The model is not loaded, or the server is draining.",
    504: "The caller's deadline passed in the queue.",
}


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


INFERENCE_REFUSALS = (400, 404, 413, 429, 502, 503, 504)


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


CLIENT_GONE = 499
"""What is logged where the caller has gone; nobody receives it. nginx's number."""


async def answer(
    plane: DataPlane,
    request: Request,
    name: str,
    make_exchange: Callable[[bytes, ServedModel], Exchange[AnswerT]],
    *,
    route: str,
    protocol: str,
    max_body_bytes: int,
    version: str | None = None,
) -> AnswerT | None:
    """Answer an inference call over REST.

    Args:
        plane: has the models.
        request: its body is not read yet: a call that cannot be taken now is refused before.
        name: of the model, as the path has it.
        make_exchange: from the body, and the model.
        route: of the path, for the trace.
        protocol: ``v1`` or ``v2``.
        max_body_bytes: the largest body, unpacked.
        version: of the model.

    Returns:
        The answer; None where the caller has gone.

    Raises:
        RequestError: whatever the caller has to be told.
    """
    scope = request.scope
    span = rest_call(method=scope["method"], route=route, path=scope["path"], model=name, protocol=protocol)
    try:
        with account(plane, name=name, protocol=protocol, span=span, carrier=request.headers) as call:
            model = plane.admit(name, version)
            timeout = timeout_seconds(request)
            body = await read_body(request, max_bytes=max_body_bytes)
            call.size = len(body)
            exchange = make_exchange(body, model)
            return await _unless_gone(request, call.answer(model, exchange, timeout_seconds=timeout))
    except CallerGone:
        return None


class CallerGone(asyncio.CancelledError):
    """The caller closed the connection before the answer was there."""


async def _unless_gone(request: Request, work: Coroutine[Any, Any, AnswerT]) -> AnswerT:
    """Do the work, but give it up when the caller closes the connection."""
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(request))
    watching.add_done_callback(lambda _: working.cancel())
    try:
        return await working
    except asyncio.CancelledError:
        if watching.done():
            raise CallerGone from None
        raise
    finally:
        watching.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
