"""KServe's V1 protocol over REST."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request, Response

from modelserve.errors import NotFound, Unavailable
from modelserve.exchange import V1Exchange
from modelserve.protocol.v1 import decode_instances, encode_predictions
from modelserve.server.dataplane import DataPlane
from modelserve.server.routes import CLIENT_GONE, INFERENCE_REFUSALS, answer, document, reply
from modelserve.serving import ServedModel

PREDICT = "/v1/models/{model_name}:predict"
REVISION_HEADER = "x-modelserve-revision"


async def predict(plane: DataPlane, request: Request, name: str, *, max_body_bytes: int) -> Response:
    """Answer ``:predict``.

    Raises:
        RequestError: whatever the caller has to be told.
    """

    def make(body: bytes, model: ServedModel) -> V1Exchange[bytes]:
        return V1Exchange(lambda: decode_instances(body), encode_predictions)

    found = await answer(
        plane, request, name, make, route=PREDICT, protocol="v1", max_body_bytes=max_body_bytes
    )
    if found is None:
        return Response(status_code=CLIENT_GONE)
    return Response(found, media_type="application/json", headers={REVISION_HEADER: plane.revision})


def add_v1(app: FastAPI, plane: DataPlane, *, max_body_bytes: int) -> None:
    """Add the routes below ``/v1``."""
    router = APIRouter(prefix="/v1/models", tags=["V1"])

    @router.get("", **document("ModelList", refusals=()))
    async def list_models() -> Response:
        return reply({"models": plane.names})

    # The verbs come before the name alone, which would match them too.
    @router.post(
        "/{model_name}:predict", **document("Predictions", body="Instances", refusals=INFERENCE_REFUSALS)
    )
    async def predict_route(model_name: str, request: Request) -> Response:
        return await predict(plane, request, model_name, max_body_bytes=max_body_bytes)

    @router.post("/{model_name}:explain", **document("Predictions", body="Instances"))
    async def explain(model_name: str) -> Response:
        plane.model(model_name)
        raise NotFound(
            f"model {model_name} has no explainer here; an InferenceService's explainer answers :explain"
        )

    @router.get("/{model_name}", **document("Ready", refusals=(404, 503)))
    async def model_ready(model_name: str) -> Response:
        if not plane.model_ready(model_name):
            raise Unavailable(f"model {model_name} is not ready")
        return reply({"name": model_name, "ready": True})

    app.include_router(router)
