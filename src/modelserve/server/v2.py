"""The Open Inference (V2) protocol over REST, with Triton's repository and statistics extensions."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request, Response

from modelserve.errors import InvalidInput, Unavailable
from modelserve.exchange import V2Exchange
from modelserve.protocol.rest import EncodedResponse, decode_request, encode_response
from modelserve.server.body import read_body
from modelserve.server.dataplane import DataPlane
from modelserve.server.replies import reply
from modelserve.server.routes import CLIENT_GONE, INFERENCE_REFUSALS, answer, document
from modelserve.serving import ServedModel

HEADER_LENGTH = "inference-header-content-length"
_BINARY_NOTE = (
    "JSON, or JSON followed by raw tensors: the binary tensor extension, where the header "
    "`Inference-Header-Content-Length` gives the length of the JSON part."
)
_MODEL = ("/models/{model_name}", "/models/{model_name}/versions/{model_version}")
INFER = tuple(f"/v2{path}/infer" for path in _MODEL)
"""The routes of a model's calls, and of a version's."""


async def infer(
    plane: DataPlane, request: Request, name: str, version: str | None, *, max_body_bytes: int
) -> Response:
    """Answer ``/infer`` of a model, or of a version of it.

    Raises:
        RequestError: whatever the caller has to be told.
    """

    def make(body: bytes, model: ServedModel) -> V2Exchange[EncodedResponse]:
        return V2Exchange(
            lambda: decode_request(body, model_name=name, model_version=version, header_length=header_length),
            encode_response,
            version=model.version,
            revision=plane.revision,
        )

    header_length = _header_length(request)
    found = await answer(
        plane,
        request,
        name,
        make,
        route=INFER[version is not None],
        protocol="v2",
        max_body_bytes=max_body_bytes,
        version=version,
    )
    if found is None:
        return Response(status_code=CLIENT_GONE)
    if found.header_length is None:
        return Response(found.body, media_type="application/json")
    return Response(
        found.body,
        media_type="application/octet-stream",
        headers={HEADER_LENGTH: str(found.header_length)},
    )


def add_v2(app: FastAPI, plane: DataPlane, *, max_body_bytes: int) -> None:
    """Add the routes below ``/v2``."""
    router = APIRouter(prefix="/v2", tags=["V2"])
    _add_server(router, plane)
    for path in _MODEL:
        _add_model(router, plane, path, max_body_bytes)
    _add_repository(router, plane, max_body_bytes)
    app.include_router(router)


def _add_server(router: APIRouter, plane: DataPlane) -> None:
    @router.get("", **document("ServerMetadata", refusals=()))
    async def server_metadata() -> Response:
        return reply(plane.server_metadata())

    @router.get("/health/live", **document("Live", refusals=()))
    async def live() -> Response:
        return reply({"live": True})

    @router.get("/health/ready", **document("Ready", refusals=(503,)))
    async def ready() -> Response:
        if not plane.ready:
            raise Unavailable("the server is not ready: a model is not loaded, or it is draining")
        return reply({"ready": True})

    @router.get("/models", **document("ModelList", refusals=()))
    async def list_models() -> Response:
        return reply({"models": plane.names})


def _add_model(router: APIRouter, plane: DataPlane, path: str, max_body_bytes: int) -> None:
    @router.get(path, **document("ModelMetadata", refusals=(404, 503)))
    async def model_metadata(model_name: str, model_version: str | None = None) -> Response:
        return reply(plane.model_metadata(model_name, model_version))

    @router.get(f"{path}/ready", **document("Ready", refusals=(404, 503)))
    async def model_ready(model_name: str, model_version: str | None = None) -> Response:
        if not plane.model_ready(model_name, model_version):
            raise Unavailable(f"model {model_name} is not ready")
        return reply({"name": model_name, "ready": True})

    @router.get(f"{path}/stats", **document("Statistics"))
    async def statistics(model_name: str, model_version: str | None = None) -> Response:
        return reply(plane.statistics(model_name, model_version))

    @router.post(
        f"{path}/infer",
        **document(
            "InferenceResponse", body="InferenceRequest", refusals=INFERENCE_REFUSALS, note=_BINARY_NOTE
        ),
    )
    async def infer_route(model_name: str, request: Request, model_version: str | None = None) -> Response:
        return await infer(plane, request, model_name, model_version, max_body_bytes=max_body_bytes)


def _add_repository(router: APIRouter, plane: DataPlane, max_body_bytes: int) -> None:
    @router.post(
        "/repository/index",
        **document("RepositoryIndex", body="RepositoryIndexRequest", refusals=(400, 413)),
    )
    async def index(request: Request) -> Response:
        options = _json_object(await read_body(request, max_bytes=max_body_bytes))
        ready_only = options.get("ready", False)
        if not isinstance(ready_only, bool):
            raise InvalidInput("`ready` must be true or false")
        return reply(plane.index(ready_only=ready_only))

    @router.post("/repository/models/{model_name}/load", **document("Loaded", refusals=(400, 404, 503)))
    async def load(model_name: str) -> Response:
        await plane.load_again(model_name)
        return reply({"name": model_name, "load": True})

    @router.post("/repository/models/{model_name}/unload", **document("Unloaded", refusals=(400, 404)))
    async def unload(model_name: str) -> Response:
        await plane.unload(model_name)
        return reply({"name": model_name, "unload": True})


def _header_length(request: Request) -> int | None:
    value = request.headers.get(HEADER_LENGTH)
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 16):
        raise InvalidInput(
            f"header Inference-Header-Content-Length is {value[:40]!r}; "
            "the length of the JSON part in bytes is accepted"
        )
    return int(value)


def _json_object(body: bytes) -> dict[str, Any]:
    """The object that an optional JSON body holds; an empty body is an empty object."""
    if not body.strip():
        return {}
    try:
        value = orjson.loads(body)
    except ValueError as error:
        raise InvalidInput("the body is no JSON; an object or nothing is accepted") from error
    if not isinstance(value, dict):
        raise InvalidInput("the body must be a JSON object, or empty")
    return value
