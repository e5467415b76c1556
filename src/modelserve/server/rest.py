"""REST: the application, its errors and the pages that are no inference."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi

import modelserve
from modelserve.server.dataplane import DataPlane
from modelserve.server.replies import add_errors, reply
from modelserve.server.schemas import SCHEMAS
from modelserve.server.v1 import add_v1
from modelserve.server.v2 import add_v2


def build_app(plane: DataPlane, *, max_body_bytes: int) -> FastAPI:
    """The ASGI application over a data plane.

    Args:
        plane: answers the calls.
        max_body_bytes: the largest body of a request, unpacked.
    """
    app = FastAPI(
        title="modelserve",
        version=modelserve.__version__,
        description="Models over KServe's V1 and the Open Inference (V2) protocol.",
        docs_url="/docs",
        redoc_url=None,
    )
    add_errors(app)
    add_v1(app, plane, max_body_bytes=max_body_bytes)
    add_v2(app, plane, max_body_bytes=max_body_bytes)

    @app.get("/", include_in_schema=False)
    async def alive() -> Response:
        return reply({"status": "alive"})

    @app.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:  # on a thread: with several workers it reads files
        body, content_type = plane.metrics.expose(request.headers.get("accept", ""))
        return Response(body, media_type=content_type)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            app.openapi_schema.setdefault("components", {})["schemas"] = SCHEMAS
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app
