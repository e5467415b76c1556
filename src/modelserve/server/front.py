"""In front of the application: what has to be cheap, and what belongs on every answer.

When ten times as many calls come as can be computed, nine of ten are refused, and what refusing them
costs is lost to the tenth. They are answered here, from the path alone, before routing and before the
body is read.
"""

from __future__ import annotations

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelserve.errors import Overloaded
from modelserve.server.calls import account
from modelserve.server.dataplane import DataPlane
from modelserve.telemetry.conventions import rest_call

_V1, _V2 = "/v1/models/", "/v2/models/"


class Front:
    """ASGI middleware over a data plane.

    A call to a model whose queue is full is refused. Once the server is about to end, every answer
    asks its client to close the connection, so that the next call goes elsewhere.
    """

    def __init__(self, app: ASGIApp, plane: DataPlane) -> None:
        self._app = app
        self._plane = plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._plane.leaving:
            send = _closing(send)
        called = called_model(scope["path"]) if scope["method"] == "POST" else None
        if called is not None and self._plane.is_full(called[1]):
            await self._refuse(scope, send, *called)
            return
        await self._app(scope, receive, send)

    async def _refuse(self, scope: Scope, send: Send, protocol: str, name: str) -> None:
        path = scope["path"]
        route = path.replace(f"/{name}", "/{model_name}", 1)
        span = rest_call(method="POST", route=route, path=path, model=name, protocol=protocol)
        try:
            with account(self._plane, name=name, protocol=protocol, span=span, carrier=scope["headers"]):
                self._plane.refuse(name)
        except Overloaded as error:
            body = orjson.dumps({"error": str(error)})
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"retry-after", str(error.retry_after_seconds).encode()),
            ]
            await send({"type": "http.response.start", "status": error.http_status, "headers": headers})
            await send({"type": "http.response.body", "body": body})


def called_model(path: str) -> tuple[str, str] | None:
    """Protocol and model of an inference call's path; None for any other path."""
    if path.startswith(_V2) and path.endswith("/infer"):
        return "v2", path[len(_V2) :].partition("/")[0]
    if path.startswith(_V1) and path.endswith(":predict"):
        return "v1", path[len(_V1) :].removesuffix(":predict")
    return None


def _closing(send: Send) -> Send:
    async def send_closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await send(message)

    return send_closing
