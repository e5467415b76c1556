"""A pipeline as an InferenceGraph of KServe 0.20.

The router calls models itself. What it cannot say — expressions, functions, what is skipped, the output — it
asks the pipeline server, which keeps nothing: the run travels with the calls. Each layer of steps is an
Ensemble of the run so far and of one Sequence per step, that asks the server for the request and the model
for the answer; then the server joins the answers to the run.

Models are called by ``serviceUrl``: to a ``serviceName`` KServe adds V1's path for services with containers
of their own, and for those whose runtime names V1 first.
"""

from __future__ import annotations

from collections.abc import Collection
from math import ceil
from typing import Any

from modelserve.pipelines.compiling.errors import CompileError
from modelserve.pipelines.compiling.graph_calls import (
    BEGIN,
    GO_ON,
    JOIN,
    KEEP,
    KEPT,
    OUTPUT,
    graph_path,
    step_call,
)
from modelserve.pipelines.compiling.graph_reasons import graph_reasons
from modelserve.pipelines.compiling.layers import layers
from modelserve.pipelines.definition.models import Pipeline, Step
from modelserve.pipelines.running.reaching import Way, url_of

Object = dict[str, Any]

USUAL_SECONDS = 300
"""For a run whose definition does not say: what Knative gives a call where nobody says."""

_SPARE_SECONDS = 5
"""After Knative's limit, which is answered 504; at the router's own the connection ends without a word."""


def inference_graph(
    pipeline: Pipeline, *, server_url: str, namespace: str | None = None, leave_out: Collection[str] = ()
) -> Object:
    """The object.

    Args:
        pipeline: without mistakes.
        server_url: of the pipeline server, as the router reaches it.
        namespace: of the graph, and of InferenceServices that do not say theirs.
        leave_out: what of the pipeline is not kept, of ``graph_reasons.LEFT_OUT``.

    Raises:
        CompileError: a graph cannot do what the pipeline does.
    """
    if reasons := graph_reasons(pipeline, namespace=namespace, leave_out=leave_out):
        raise CompileError(*reasons)
    metadata: Object = {"name": pipeline.metadata.name}
    if namespace is not None:
        metadata["namespace"] = namespace
    for key in ("labels", "annotations"):
        if said := getattr(pipeline.metadata, key):
            metadata[key] = dict(said)
    seconds = _run_seconds(pipeline)
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": metadata,
        "spec": {
            "nodes": _Nodes(pipeline, server_url.rstrip("/"), namespace).all(),
            "timeout": seconds,
            "routerTimeouts": {
                "serverRead": seconds,
                "serverWrite": seconds + _SPARE_SECONDS,
                "serviceClient": ceil(max(step.timeout_seconds for step in pipeline.spec.steps)),
            },
        },
    }


def _run_seconds(pipeline: Pipeline) -> int:
    spec = pipeline.spec
    return ceil(spec.timeout_seconds) if "timeout_seconds" in spec.model_fields_set else USUAL_SECONDS


class _Nodes:
    """The nodes of a graph.

    Every call is a hard dependency: the router goes on after a failed one otherwise.
    """

    def __init__(self, pipeline: Pipeline, server_url: str, namespace: str | None) -> None:
        self._pipeline, self._server_url, self._namespace = pipeline, server_url, namespace

    def all(self) -> dict[str, Object]:
        """By their names."""
        nodes: dict[str, Object] = {}
        calls = [self._server("begin", BEGIN)]
        found = layers(self._pipeline)
        for number, steps in enumerate(found, 1):
            nodes[f"layer-{number}"] = self._layer(steps)
            for step in steps:
                nodes |= self._step(step)
            calls.append(_call(f"layer-{number}", nodeName=f"layer-{number}"))
            if number < len(found):
                calls.append(self._server(f"join-{number}", JOIN))
        calls.append(self._server("output", OUTPUT))
        return {"root": _sequence(calls), **nodes}

    def _layer(self, steps: list[Step]) -> Object:
        return _ensemble(
            [
                self._server(KEPT, KEEP),
                *(_call(step.name, nodeName=f"step-{step.name}") for step in steps),
            ]
        )

    def _step(self, step: Step) -> dict[str, Object]:
        """A Sequence that ends after its first call where the model is not to be asked."""
        request = self._server("request", step_call(step.name))
        if step.model is not None:
            ask = _call("model", serviceUrl=self._model_url(step.model))
            return {f"step-{step.name}": _sequence([request, {**ask, "condition": GO_ON}])}
        asks = [_call(name, serviceUrl=self._model_url(name)) for name in step.models]
        models = f"models-{step.name}"
        ask = {**_call("models", nodeName=models), "condition": GO_ON}
        return {f"step-{step.name}": _sequence([request, ask]), models: _ensemble(asks)}

    def _server(self, name: str, call: str) -> Object:
        path = graph_path(self._pipeline.metadata.name, call)
        return _call(name, serviceUrl=f"{self._server_url}{path}")

    def _model_url(self, name: str) -> str:
        model = self._pipeline.spec.models[name]
        ways = (Way.INFERENCE_SERVICE, Way.URL)
        found = (url_of(name, model, way, namespace=self._namespace) for way in ways)
        return next(url for url in found if url is not None)


def _call(name: str, **target: str) -> Object:
    return {"name": name, **target, "dependency": "Hard"}


def _sequence(calls: list[Object]) -> Object:
    """One after another, each with the answer of the one before; the first with what comes to the node."""
    first, *others = calls
    return {"routerType": "Sequence", "steps": [first, *({**one, "data": "$response"} for one in others)]}


def _ensemble(calls: list[Object]) -> Object:
    """All at once with the same, to one object of their answers by their names."""
    return {"routerType": "Ensemble", "steps": calls}
