"""Runs that a graph carries, as KServe's router has them done, against the same in one process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from graph_routers import Router
from http_servers import Request, answering

from modelserve.errors import NotFound
from modelserve.pipelines.compiling.inference_graph import inference_graph
from modelserve.pipelines.definition.inputs import check_inputs
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.definition.reading import parse_pipeline
from modelserve.pipelines.running.here import run_here
from modelserve.pipelines.serving.steps import steps_router
from modelserve.server.replies import add_errors

Object = dict[str, Any]
Graph = Callable[..., Any]
SERVER = "http://pipeline-server"

DEFINITION = """
apiVersion: modelserve.dev/v1alpha1
kind: Pipeline
metadata: {name: reader}
spec:
  inputs:
    documents: {type: "string[]"}
    weight: {type: number, default: 2.0}
  models:
    tagger: {url: "http://tagger:1"}
    scorer: {url: "http://scorer:1", modelName: scores}
  steps:
    - name: split
      function: split_documents
      inputs: {documents: inputs.documents}
    - name: names
      when: steps.split.output.texts
      model: tagger
      inputs: {text: steps.split.output.texts}
    - name: never
      when: "`false`"
      model: tagger
      inputs: {text: inputs.documents}
    - name: both
      ensemble: [tagger, scorer]
      inputs: {text: inputs.documents}
      parameters: {weight: inputs.weight, top: "`null`"}
    - name: gathered
      function: gather_entities
      inputs:
        documents: inputs.documents
        places: steps.split.output.places
        entities: map(&from_json(@), steps.names.output.entities || `[]`)
    - name: counted
      function: count_entities
      inputs: {entities: steps.gathered.output}
    - name: each
      forEach: inputs.documents
      function: split_documents
      inputs: {documents: ["item"]}
    - name: tolerated
      function: redact
      inputs: {texts: inputs.documents, entities: "`[]`"}
      fallback: {value: steps.split.output.texts}
    - name: again
      model: scorer
      needs: [never]
      inputs: {value: steps.both.output.scorer.score, text: steps.names.output.entities}
  output:
    counts: steps.counted.output
    each: steps.each.output[].texts[]
    tolerated: [steps.tolerated.status, steps.tolerated.output]
    scores: steps.both.output.scorer.score
    again: steps.again.output.score
    never: [steps.never.status, steps.never.output]
"""

PEOPLE = ("Zoe", "Ann", "Bob")


class Models:
    """Two models that answer by what they are asked, and note it."""

    def __init__(self) -> None:
        self.asked: dict[str, list[Object]] = {"tagger": [], "scores": []}
        self.answers: dict[str, Any] = {}

    def answer(self, request: Request) -> tuple[int, bytes]:
        name = request.path.split("/")[3]
        body = json.loads(request.body)
        self.asked[name].append(body)
        if name in self.answers:
            status, said = self.answers[name]
            return status, json.dumps(said).encode()
        texts = next(one["data"] for one in body["inputs"] if one["name"] == "text")
        outputs: list[Object] = [
            {"name": "entities", "datatype": "BYTES", "data": [json.dumps(found(text)) for text in texts]},
            {"name": "score", "datatype": "FP32", "data": [float(len(text)) for text in texts]},
        ]
        outputs = [{**one, "shape": [len(texts)]} for one in outputs]
        return 200, json.dumps({"model_name": name, "outputs": outputs}).encode()


def found(text: str) -> list[Object]:
    return [
        {"type": "PER", "text": name, "start": text.index(name), "end": text.index(name) + 3}
        for name in PEOPLE
        if name in text
    ]


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def pipeline(models: Models) -> Iterator[Pipeline]:
    with answering(models.answer) as port:
        text = DEFINITION.replace("tagger:1", f"127.0.0.1:{port}").replace("scorer:1", f"127.0.0.1:{port}")
        yield parse_pipeline(text, "reader.yaml")


@pytest.fixture
async def client(pipeline: Pipeline) -> AsyncIterator[httpx.AsyncClient]:
    """Reaches the pipeline server by its name, and all others as they are."""

    def find(name: str) -> Pipeline:
        if name != "reader":
            raise NotFound(f"pipeline {name} is unknown")
        return pipeline

    app = FastAPI()
    add_errors(app)
    app.include_router(steps_router(find, max_body_bytes=10_000))
    mounts = {SERVER: httpx.ASGITransport(app)}
    async with httpx.AsyncClient(mounts=mounts, trust_env=False) as found:
        yield found


@pytest.fixture
def graph(pipeline: Pipeline, client: httpx.AsyncClient) -> Graph:
    """Calls the graph with inputs; gives the status and the answer."""
    made = inference_graph(pipeline, server_url=SERVER)

    async def call(**inputs: Any) -> tuple[int, Any]:
        status, answer = await Router(made, client).call(json.dumps({"inputs": inputs}).encode())
        return status, json.loads(answer)

    return call


@pytest.mark.parametrize(
    "documents",
    [["Zoe met Ann. Zoe met Bob <b>& Co</b>.", "Zoe slept."], ["the rain \u2028 it rained"], ["", "Ann"]],
    ids=["names", "none", "an empty one"],
)
async def test_the_output_is_that_of_a_run_in_one_process(
    documents: list[str], graph: Graph, pipeline: Pipeline, models: Models
) -> None:
    status, output = await graph(documents=documents)
    by_graph = {name: sorted(map(json.dumps, bodies)) for name, bodies in models.asked.items()}
    models.asked = {"tagger": [], "scores": []}
    inputs = check_inputs(pipeline, {"documents": documents})
    end = await run_here(pipeline, inputs, folder=Path(), urls={}, record={})
    assert not end.has_failed, end.error
    # As text: 2.0 is not 2 to a model, and the most frequent comes first.
    assert (status, json.dumps(output)) == (200, json.dumps(end.output))
    assert by_graph == {name: sorted(map(json.dumps, bodies)) for name, bodies in models.asked.items()}
    assert by_graph["scores"], "the models were asked"


async def test_whole_floats_are_sent_as_floats(graph: Graph, models: Models) -> None:
    await graph(documents=["Ann", "Bobby"])
    (value,) = [one for body in models.asked["scores"] for one in body["inputs"] if one["name"] == "value"]
    assert (value["datatype"], value["data"]) == ("FP32", [3.0, 5.0])


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "input documents is missing"),
        ({"documents": ["a"], "other": 1}, "input 'other' is unknown"),
        ({"documents": "a"}, "input documents is 'a'"),
    ],
)
async def test_inputs_are_refused_before_anything_is_asked(
    inputs: Object, said: str, graph: Graph, models: Models
) -> None:
    status, answer = await graph(**inputs)
    assert (status, said in answer["error"]) == (400, True), answer
    assert models.asked == {"tagger": [], "scores": []}


async def test_a_model_that_refuses_ends_the_run_with_its_words(graph: Graph, models: Models) -> None:
    models.answers["scores"] = (429, {"error": "the queue is full"})
    assert await graph(documents=["Ann"]) == (429, {"error": "the queue is full"})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"outputs": "none"}, "step both: the model's answer has no list of outputs"),
        (
            {"outputs": [{"name": "score", "datatype": "INT64", "shape": [1], "data": [2**53 + 1]}]},
            "step both: output score of the model's answer has integers of 2^53 or more",
        ),
        ({"outputs": [{"name": "score"}]}, "step both: an output of the model's answer lacks"),
    ],
)
async def test_what_is_no_answer_fails_the_run(
    answer: Object, said: str, graph: Graph, models: Models
) -> None:
    models.answers["scores"] = (200, answer)
    status, told = await graph(documents=["Ann"])
    assert (status, told["error"][: len(said)]) == (502, said)


async def test_a_function_that_fails_fails_the_run(graph: Graph, models: Models) -> None:
    outputs = [{"name": "entities", "datatype": "BYTES", "shape": [0], "data": []}]
    models.answers["tagger"] = (200, {"outputs": outputs})
    status, told = await graph(documents=["Ann met Bob."])
    assert status == 502
    assert told["error"].startswith("step gathered: function gather_entities: ValueError")


async def test_an_expression_that_cannot_be_computed_fails_the_run(graph: Graph, models: Models) -> None:
    outputs = [{"name": "entities", "datatype": "BYTES", "shape": [1], "data": ["{"]}]
    models.answers["tagger"] = (200, {"outputs": outputs})
    status, told = await graph(documents=["Ann met Bob."])
    assert (status, told["error"].startswith("step gathered: ")) == (502, True)


@pytest.fixture
async def context(client: httpx.AsyncClient) -> str:
    """A run that has begun."""
    answer = await client.post(
        f"{SERVER}/v1alpha1/pipelines/reader/graph/begin", json={"inputs": {"documents": ["Ann"]}}
    )
    found: str = answer.raise_for_status().json()["context"]
    return found


@pytest.mark.parametrize(
    ("call", "body", "status", "said"),
    [
        ("begin", {"inputs": {"documents": []}, "webhook": "http://a"}, 400, '{"inputs": {…}} is accepted'),
        ("keep", {"contexts": ""}, 400, "as the server gave it is accepted"),
        ("steps/names", {"context": "{"}, 400, "the body is no JSON"),
        ("steps/names", {"context": '{"inputs": {}}'}, 400, "steps: Field required"),
        ("steps/other", None, 404, "there is no step 'other'; the graph is of another definition"),
        ("steps/split", None, 400, "step split is not to be done by a model now"),
        ("steps/again", None, 400, "step again is not to be done by a model now"),
        ("join", {"so-far": None, "gone": {}}, 404, "there is no step 'gone'"),
        ("join", {"so-far": None, "again": {}}, 400, "step again is not to be done by a model now"),
        ("join", [1], 400, "the body is no object"),
        ("join", {"names": {}}, 400, '{"so-far": {"context": "…"}'),
        ("output", None, 400, "steps names, never, both, gathered, counted, again are not done"),
    ],
)
async def test_what_no_graph_of_this_definition_sends_is_refused(
    call: str, body: Any, status: int, said: str, client: httpx.AsyncClient, context: str
) -> None:
    if isinstance(body, dict) and "so-far" in body:
        body = {**body, "so-far": {"context": context}}
    url = f"{SERVER}/v1alpha1/pipelines/reader/graph/{call}"
    answer = await client.post(url, json={"context": context} if body is None else body)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text


async def test_a_body_over_the_limit_is_refused(client: httpx.AsyncClient) -> None:
    url = f"{SERVER}/v1alpha1/pipelines/reader/graph/keep"
    answer = await client.post(url, json={"context": "a" * 10_000})
    assert answer.status_code == 413


async def test_a_pipeline_that_the_server_has_not_is_told(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{SERVER}/v1alpha1/pipelines/other/graph/begin", json={"inputs": {}})
    assert (answer.status_code, answer.json()) == (404, {"error": "pipeline other is unknown"})
