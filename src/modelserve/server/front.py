"""In front of the application: what has to be cheap, and what belongs on every answer.

Calls go from here to their handler, which refuses what it can before the body is read: routing and FastAPI's
dependencies would cost each of them 0.4 ms.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelserve.errors import RequestError
from modelserve.server.dataplane import DataPlane
from modelserve.server.replies import fault, refusal
from modelserve.server.v1 import EXPLAIN, PREDICT, explain, predict
from modelserve.server.v2 import INFER, infer

_V1, _V2 = "/v1/models/", "/v2/models/"


@dataclass(frozen=True, slots=True)
class Called:
    """What the path of an inference call names."""

    protocol: str
    route: str
    model: str
    version: str | None = None


class Front:
    """ASGI middleware over a data plane.

    Inference calls are answered past the application's router. Once the server is about to end, every
    answer asks its client to close the connection, so that the next call goes elsewhere.

    Args:
        app: takes all that is no inference.
        plane: has the models.
        max_body_bytes: the largest body of a request, unpacked.
    """

    def __init__(self, app: ASGIApp, plane: DataPlane, *, max_body_bytes: int) -> None:
        self._app = app
        self._plane = plane
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._plane.leaving:
            send = _closing(send)
        called = called_model(scope["path"]) if scope["method"] == "POST" else None
        if called is None:
            await self._app(scope, receive, send)
        else:
            response = await self._answer(Request(scope, receive), called)
            await response(scope, receive, send)

    async def _answer(self, request: Request, called: Called) -> Response:
        limit = self._max_body_bytes
        try:
            if called.route == PREDICT:
                return await predict(self._plane, request, called.model, max_body_bytes=limit)
            if called.route == EXPLAIN:
                return await explain(self._plane, request, called.model, max_body_bytes=limit)
            return await infer(self._plane, request, called.model, called.version, max_body_bytes=limit)
        except RequestError as error:
            return refusal(error)
        except Exception as error:
            return fault(request.scope["path"], error)


def called_model(path: str) -> Called | None:
    """What an inference call's path names; None for any other path."""
    if path.startswith(_V2):
        named, slash, verb = path[len(_V2) :].rpartition("/")
        parts = named.split("/versions/")
        if not slash or verb != "infer" or len(parts) > len(INFER):
            return None
        called = Called("v2", INFER[len(parts) - 1], *parts)
    elif path.startswith(_V1) and path.endswith((":predict", ":explain")):
        name, _, verb = path[len(_V1) :].rpartition(":")
        parts = [name]
        called = Called("v1", PREDICT if verb == "predict" else EXPLAIN, name)
    else:
        return None
    # As in the router's patterns, no part is empty and none holds a slash.
    return called if all(part and "/" not in part for part in parts) else None


def _closing(send: Send) -> Send:
    async def send_closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await send(message)

    return send_closing
