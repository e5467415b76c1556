"""Generated pipelines as graphs do what they do in one process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response
from graph_routers import Router
from hypothesis import given, settings
from hypothesis import strategies as st

from modelserve.pipelines.compiling.inference_graph import inference_graph
from modelserve.pipelines.course import Course, End, Outcome, Unit
from modelserve.pipelines.definition.inputs import check_inputs
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.running.asking import HttpAsker, infer_url
from modelserve.pipelines.running.calling import Caller
from modelserve.pipelines.running.driver import drive
from modelserve.pipelines.serving.steps import steps_router
from modelserve.server.replies import add_errors

Object = dict[str, Any]
SERVER, MODELS = "http://pipeline-server", "http://models"
TEXTS = ["Ann", "Bobby"]


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """Steps of all kinds that look at earlier ones."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 7)))]
    steps = []
    for number, name in enumerate(names):
        earlier = draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
        what: Object = draw(
            st.sampled_from(
                [
                    {"model": "good"},
                    {"model": "good"},
                    {"ensemble": ["good", "other"]},
                    {"function": "redact"},
                ]
                + ([{"model": "bad"}] if number == len(names) - 1 else [])
            )
        )
        if "function" in what:
            inputs: Object = {"texts": "inputs.texts", "entities": "`[[], []]`"}
        else:
            seen = [f"steps.{one}.output.score[]" for one in earlier]
            inputs = {"text": "inputs.texts", "value": f"[{', '.join([*seen, '`[1.0]`'])}][]"}
        conditions = [
            None,
            None,
            "`false`",
            *(f"steps.{one}.status == 'succeeded'" for one in earlier),
            *(f"steps.{one}.output.score[0] > `5`" for one in earlier),
        ]
        when = draw(st.sampled_from(conditions))
        needs = {"needs": earlier, **({} if when is None else {"when": when})}
        steps.append({"name": name, **what, "inputs": inputs, **needs})
    models = {name: {"url": MODELS} for name in ("good", "other", "bad")}
    output = {name: [f"steps.{name}.status", f"steps.{name}.output"] for name in reversed(names)}
    inputs = {"texts": {"type": "string[]"}}
    spec = {"inputs": inputs, "models": models, "steps": draw(st.permutations(steps)), "output": output}
    return Pipeline.model_validate({"metadata": {"name": "generated"}, "spec": spec})


def models_app(asked: list[str]) -> FastAPI:
    """Models that note what they are asked; one of them refuses."""
    app = FastAPI()

    @app.post("/v2/models/{name}/infer", response_model=None)
    async def infer(name: str, request: Request) -> Response:
        body = await request.json()
        asked.append(json.dumps([name, body]))
        if name == "bad":
            return Response('{"error": "no"}', 400, media_type="application/json")
        values = next(one["data"] for one in body["inputs"] if one["name"] == "value")
        score = float(sum(values) + len(name))
        outputs = [{"name": "score", "datatype": "FP32", "shape": [2], "data": [score, score / 3]}]
        return Response(json.dumps({"outputs": outputs}), media_type="application/json")

    return app


class Reach:
    """All models at one server."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    def asker(self, name: str, model: Any) -> HttpAsker:
        return HttpAsker(self._client, infer_url(MODELS, name))


async def _by_graph(pipeline: Pipeline, client: httpx.AsyncClient) -> tuple[int, Any]:
    graph = inference_graph(pipeline, server_url=SERVER)
    status, answer = await Router(graph, client).call(json.dumps({"inputs": {"texts": TEXTS}}).encode())
    return status, json.loads(answer)


async def _here(pipeline: Pipeline, client: httpx.AsyncClient) -> End:
    async def keep(unit: Unit, outcome: Outcome) -> None:
        pass

    course = Course(pipeline, check_inputs(pipeline, {"texts": TEXTS}))
    return await drive(course, {}, Caller(pipeline.spec.models, Reach(client), "run"), keep)


def _find(pipeline: Pipeline) -> Callable[[str], Pipeline]:
    return lambda name: pipeline


@settings(max_examples=40, deadline=None)
@given(pipeline=pipelines())
def test_a_graph_gives_what_one_process_gives(pipeline: Pipeline) -> None:
    async def check() -> None:
        asked: list[str] = []
        server = FastAPI()
        add_errors(server)
        server.include_router(steps_router(_find(pipeline), max_body_bytes=2**20))
        mounts = {
            SERVER: httpx.ASGITransport(server),
            MODELS: httpx.ASGITransport(models_app(asked)),
        }
        async with httpx.AsyncClient(mounts=mounts) as client:
            status, answer = await _by_graph(pipeline, client)
            by_graph = sorted(asked)
            asked.clear()
            end = await _here(pipeline, client)
        if end.has_failed:
            assert (status, answer) == (400, {"error": "no"})
        else:
            assert (status, json.dumps(answer)) == (200, json.dumps(end.output))
            assert by_graph == sorted(asked)

    asyncio.run(check())
