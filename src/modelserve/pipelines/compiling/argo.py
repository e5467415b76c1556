"""A pipeline as a WorkflowTemplate of Argo Workflows.

A step is a pod that runs ``modelserve pipeline step``, and its outcome an artifact, by which the steps behind
it go on. Argo knows the order, makes the tries and keeps what succeeded: ``argo retry`` goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modelserve.pipelines.compiling.argo_limits import STARTING_SECONDS
from modelserve.pipelines.compiling.argo_pods import (
    PARTS,
    Pods,
    definition_text,
    outcome_of,
    patch,
    task_name,
)
from modelserve.pipelines.compiling.errors import CompileError
from modelserve.pipelines.course import Course, Outcome, Record, Status, Unit
from modelserve.pipelines.definition.models import Pipeline, Step
from modelserve.pipelines.definition.order import needs_of

Object = dict[str, Any]

_DIGEST_LENGTH = 12
_LONGEST_NAME = 63
_MOST_BYTES = 2**20
"""An object has to fit into etcd, which takes half as much again, with what Argo writes of its nodes."""


@dataclass(frozen=True, slots=True)
class ArgoSettings:
    """How a WorkflowTemplate is made.

    Attributes:
        image: with ``modelserve`` in it.
        namespace: of the template; None where it is not said.
        service_account: of the pods; None for the namespace's own.
        memoize_seconds: how long a step's outcome stands for other runs that would give it the same; None for
            not at all. One of a list of items, or that may stand for a failure, never does.
    """

    image: str
    namespace: str | None = None
    service_account: str | None = None
    memoize_seconds: int | None = None


def workflow_template(pipeline: Pipeline, settings: ArgoSettings) -> Object:
    """The WorkflowTemplate.

    Raises:
        CompileError: there is something that Argo cannot do, or that no pod could.
    """
    reasons = list(_reasons(pipeline))
    if reasons:
        raise CompileError(*reasons)
    spec, metadata = pipeline.spec, pipeline.metadata
    pods = Pods(pipeline, settings.image)
    templates = [template for step in spec.steps for template in _templates(step, pods, settings)]
    names = [task_name(step.name) for step in spec.steps]
    arguments = [{"name": "inputs", "value": "{}", "description": "The run's inputs, a JSON object."}]
    arguments += [
        {"name": f"{name}-key", "description": f"Of input {name}: an object of the artifact repository."}
        for name in pods.files
    ]
    told = "A URL that is told of the end by a CloudEvent; empty for none."
    arguments += [{"name": "webhook", "value": "", "description": told}]
    labels = {"app.kubernetes.io/part-of": "modelserve", **metadata.labels}
    made: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {
            "name": metadata.name,
            **({"namespace": settings.namespace} if settings.namespace else {}),
            "labels": labels,
            **({"annotations": metadata.annotations} if metadata.annotations else {}),
        },
        "spec": {
            "entrypoint": "run",
            "onExit": "ended",
            "workflowMetadata": {"labels": labels},
            # A run's waiting is not of its time; pods in a row wait for their starts.
            "activeDeadlineSeconds": math.ceil(spec.timeout_seconds)
            + STARTING_SECONDS * _pods_in_a_row(pipeline),
            "arguments": {"parameters": arguments},
            **({"serviceAccountName": settings.service_account} if settings.service_account else {}),
            "podGC": {"strategy": "OnPodSuccess"},
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "podSpecPatch": patch(),
            "volumes": [{"name": "work", "emptyDir": {}}],
            "templates": [_run(pipeline), *templates, pods.end(names), *pods.ended()],
        },
    }
    size = len(json.dumps(made))
    if size > _MOST_BYTES:
        raise CompileError(
            f"its template has {size} bytes, with the definition in each pod; {_MOST_BYTES} are accepted"
        )
    return made


def _reasons(pipeline: Pipeline) -> Iterator[str]:
    taken = {"", "run", "end", "ended", "tell"}
    for step in pipeline.spec.steps:
        name = task_name(step.name)
        names = {name} if step.for_each is None else {name, *(f"{name}-{part}" for part in PARTS)}
        if found := sorted(names & taken):
            yield (
                f"step {step.name}: Argo's names have no underscores, and {found[0] or 'nothing'} is taken; "
                "another name is accepted"
            )
        elif len(name) > _LONGEST_NAME - len("-items"):
            most = _LONGEST_NAME - len("-items")
            yield f"step {step.name}: its name has {len(name)} characters; {most} are accepted"
        taken |= names
    for name, model in pipeline.spec.models.items():
        if model.inference_service is None and model.url is None:
            yield f"model {name} is within a process only; inferenceService or url is accepted"
    if "{{" in definition_text(pipeline):
        yield "two braces in a row, {{, are Argo's own; with a space between them they are accepted"


def _run(pipeline: Pipeline) -> Object:
    """The DAG: each step behind those that it needs, and the output behind all."""
    tasks = [_task(step) for step in pipeline.spec.steps]
    names = [task_name(step.name) for step in pipeline.spec.steps]
    end = {
        "name": "end",
        "template": "end",
        "dependencies": names,
        "arguments": {"artifacts": [_outcome(name) for name in names]},
    }
    return {
        "name": "run",
        "dag": {"tasks": [*tasks, end]},
        "outputs": {"artifacts": [{"name": "output", "from": "{{tasks.end.outputs.artifacts.output}}"}]},
    }


def _task(step: Step) -> Object:
    needs = sorted(task_name(name) for name in needs_of(step))
    digests = [
        {"name": f"{name}-digest", "value": f"{{{{tasks.{name}.outputs.parameters.digest}}}}"}
        for name in needs
    ]
    return {
        "name": task_name(step.name),
        "template": task_name(step.name),
        **({"dependencies": needs} if needs else {}),
        **(
            {"arguments": {"parameters": digests, "artifacts": [_outcome(name) for name in needs]}}
            if needs
            else {}
        ),
    }


def _outcome(name: str) -> Object:
    return {"name": outcome_of(name), "from": f"{{{{tasks.{name}.outputs.artifacts.outcome}}}}"}


def _templates(step: Step, pods: Pods, settings: ArgoSettings) -> list[Object]:
    name, needs = task_name(step.name), sorted(task_name(one) for one in needs_of(step))
    if step.for_each is None:
        return [{**pods.step(step, name, needs), **_memoize(step, needs, pods, settings)}]
    # Argo's memo of a template with steps has none of its outputs (3.7).
    return [pods.all_items(step, name, needs), *pods.items(step, name, needs)]


def _memoize(step: Step, needs: list[str], pods: Pods, settings: ArgoSettings) -> Object:
    # A fallback stands for an outcome only while there is none.
    if settings.memoize_seconds is None or step.fallback is not None or step.on_failure == "continue":
        return {}
    said = json.dumps(step.model_dump(mode="json", by_alias=True), sort_keys=True)
    models = {name: pods.pipeline.spec.models[name].model_dump(mode="json") for name in step.models}
    whole = said + json.dumps(models, sort_keys=True) + settings.image
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST_LENGTH]
    given = ["workflow.parameters.inputs"]
    given += [f"workflow.parameters['{name}-key']" for name in pods.files]
    given += [f"inputs.parameters['{need}-digest']" for need in needs]
    # In one digest, as a key of a ConfigMap has at most 253 characters.
    of_run = f"{{{{=sprig.trunc(32, sprig.sha256sum(toJson([{', '.join(given)}])))}}}}"
    return {
        "memoize": {
            "key": "-".join([task_name(step.name), digest, of_run]),
            "maxAge": f"{settings.memoize_seconds}s",
            "cache": {"configMap": {"name": f"{pods.pipeline.metadata.name}-outcomes", "key": "outcomes"}},
        }
    }


def _pods_in_a_row(pipeline: Pipeline) -> int:
    """How many pods wait for one another at most, the output's with them."""
    course, pods = Course(pipeline, {}), 1
    record: Record = {}
    while ready := course.ready(record):
        pods += max(1 if step.for_each is None else len(PARTS) for step in ready)
        record = {**record, **{Unit(step.name): Outcome(Status.SUCCEEDED) for step in ready}}
    return pods
