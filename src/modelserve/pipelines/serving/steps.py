"""The calls by which an InferenceGraph has done what it cannot say; see ``compiling/inference_graph.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from modelserve.errors import InvalidInput
from modelserve.pipelines.compiling.graph_calls import (
    BEGIN,
    CONTEXT,
    JOIN,
    KEEP,
    KEPT,
    OUTPUT,
    graph_path,
    step_call,
)
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.serving.forms import of_form, read_form, read_json
from modelserve.pipelines.serving.graph_run import GraphRun
from modelserve.server.body import read_body
from modelserve.server.replies import reply
from modelserve.written import Written


class _Beginning(Written):
    inputs: dict[str, Any] = {}


class _Kept(Written):
    context: str


_KEPT_FORM = f'{{"{CONTEXT}": "…"}} as the server gave it'
_LAYER_FORM = f'{{"{KEPT}": {_KEPT_FORM}, STEP: ANSWER, …}}'


def steps_router(find: Callable[[str], Pipeline], *, max_body_bytes: int) -> APIRouter:
    """The paths that graphs call, each of which takes and gives all that there is of a run.

    Args:
        find: gives a pipeline by its name.
        max_body_bytes: the largest body of a request, unpacked.
    """
    router = APIRouter(tags=["graphs"])

    async def body(request: Request) -> bytes:
        return await read_body(request, max_bytes=max_body_bytes)

    @router.post(graph_path("{pipeline}", BEGIN), response_model=None)
    async def begin(pipeline: str, request: Request) -> Response:
        """Check a run's inputs, and call the functions that need no model."""
        asked = read_form(_Beginning, await body(request) or b"{}", '{"inputs": {…}}')
        run = GraphRun.begun(find(pipeline), asked.inputs)
        await run.call_functions()
        return reply({CONTEXT: run.text()})

    @router.post(graph_path("{pipeline}", KEEP), response_model=None)
    async def keep(pipeline: str, request: Request) -> Response:
        """Give back what came, so that an Ensemble has the run beside the models' answers."""
        return reply({CONTEXT: read_form(_Kept, await body(request), _KEPT_FORM).context})

    @router.post(graph_path("{pipeline}", step_call("{step}")), response_model=None)
    async def request_of(pipeline: str, step: str, request: Request) -> Response:
        """The V2 request of a step; an empty object where it is skipped."""
        kept = read_form(_Kept, await body(request), _KEPT_FORM)
        return reply(GraphRun.read(find(pipeline), kept.context).request(step))

    @router.post(graph_path("{pipeline}", JOIN), response_model=None)
    async def join(pipeline: str, request: Request) -> Response:
        """Join the answers of a layer to the run, and call the functions that can be called then."""
        run = await _joined(find(pipeline), await body(request))
        return reply({CONTEXT: run.text()})

    @router.post(graph_path("{pipeline}", OUTPUT), response_model=None)
    async def output(pipeline: str, request: Request) -> Response:
        """Join the answers of the last layer, and give the run's output."""
        run = await _joined(find(pipeline), await body(request))
        return reply(run.output())

    return router


async def _joined(pipeline: Pipeline, body: bytes) -> GraphRun:
    """The run with the answers of a layer; of a pipeline without models it comes as it was kept."""
    answers = read_json(body, _LAYER_FORM)
    if not isinstance(answers, dict):
        raise InvalidInput(f"the body is no object; {_LAYER_FORM} is accepted")
    kept = answers.pop(KEPT, None)
    if kept is None:
        kept, answers = answers, {}
    run = GraphRun.read(pipeline, of_form(_Kept, kept, _LAYER_FORM).context)
    run.take(answers)
    await run.call_functions()
    return run
