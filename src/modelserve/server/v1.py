"""KServe's V1 protocol over REST."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, FastAPI, Request, Response

from modelserve.errors import Unavailable
from modelserve.exchange import Exchange, V1Exchange
from modelserve.explaining.explainer import ExplainExchange
from modelserve.protocol.v1 import decode_explain, decode_instances, encode_explanations, encode_predictions
from modelserve.server.dataplane import DataPlane
from modelserve.server.replies import reply
from modelserve.server.routes import CLIENT_GONE, INFERENCE_REFUSALS, answer, document
from modelserve.serving import ServedModel

PREDICT = "/v1/models/{model_name}:predict"
EXPLAIN = "/v1/models/{model_name}:explain"
REVISION_HEADER = "x-modelserve-revision"


async def predict(plane: DataPlane, request: Request, name: str, *, max_body_bytes: int) -> Response:
    """Answer ``:predict``.

    Raises:
        RequestError: whatever the caller has to be told.
    """

    def make(body: bytes, model: ServedModel) -> V1Exchange[bytes]:
        return V1Exchange(lambda: decode_instances(body), encode_predictions)

    return await _answer(plane, request, name, make, route=PREDICT, max_body_bytes=max_body_bytes)


async def explain(plane: DataPlane, request: Request, name: str, *, max_body_bytes: int) -> Response:
    """Answer ``:explain``.

    Raises:
        RequestError: whatever the caller has to be told.
    """

    def make(body: bytes, model: ServedModel) -> ExplainExchange[bytes]:
        return ExplainExchange(lambda: decode_explain(body), encode_explanations, model=model.name)

    return await _answer(plane, request, name, make, route=EXPLAIN, max_body_bytes=max_body_bytes)


async def _answer(
    plane: DataPlane,
    request: Request,
    name: str,
    make: Callable[[bytes, ServedModel], Exchange[bytes]],
    *,
    route: str,
    max_body_bytes: int,
) -> Response:
    found = await answer(
        plane, request, name, make, route=route, protocol="v1", max_body_bytes=max_body_bytes
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

    @router.post(
        "/{model_name}:explain",
        **document(
            "Explanations",
            body="ExplainRequest",
            refusals=INFERENCE_REFUSALS,
            note="Answered by an InferenceService's explainer; a predictor answers 404.",
        ),
    )
    async def explain_route(model_name: str, request: Request) -> Response:
        return await explain(plane, request, model_name, max_body_bytes=max_body_bytes)

    @router.get("/{model_name}", **document("Ready", refusals=(404, 503)))
    async def model_ready(model_name: str) -> Response:
        if not plane.model_ready(model_name):
            raise Unavailable(f"model {model_name} is not ready")
        return reply({"name": model_name, "ready": True})

    app.include_router(router)
