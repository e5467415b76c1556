"""The pods of a compiled pipeline: each one ``modelserve pipeline step``, with its files."""

from __future__ import annotations

import json
from typing import Any

import yaml

from modelserve.pipelines.compiling.argo_limits import STARTING_SECONDS, limits, lost_pods
from modelserve.pipelines.definition.models import Pipeline, Step

Object = dict[str, Any]

PARTS = ("items", "item", "join")
"""The pods of a step with ``forEach``, by the ends of their names."""

_AT = "/work"
_TELL_SECONDS = 30

# Argo looks for its own expressions in what it put in too, so that an input's text could be one. In JSON two
# braces in a row can only be within a string, where the second may be written by its number.
_INPUTS = r"{{=replace(workflow.parameters.inputs, '{' + '{', '{\\u007b')}}"

# One argument has at most 128 KiB. Left out are tries before the last, and what failed for what is in it; and
# behind a message's first line, the executor's log.
_FAILURES = (
    r"{{=sprig.trunc(2000, replace(join(map(filter(fromJSON(fromJSON(workflow.failures)) ?? [], "
    r"not (.message startsWith 'child ' or .message contains 'exit code 75' "
    r"or .message in ['', 'No more retries left'])), "
    r".displayName + ': ' + split(.message, '\n')[0]), '; '), '{' + '{', '{ {'))}}"
)

_NO_PRIVILEGES: Object = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

_AS_IT_IS: Object = {"none": {}}
"""Argo unpacks what looks like an archive, and packs the rest, unless it is told not to."""


class Pods:
    """Makes the templates of pods.

    ``files`` are the names of the inputs that come as artifacts.

    Args:
        pipeline: that is compiled.
        image: with ``modelserve`` in it.
    """

    def __init__(self, pipeline: Pipeline, image: str) -> None:
        self.pipeline, self._image = pipeline, image
        # A parameter is part of the Workflow, which has to fit into etcd.
        inputs = pipeline.spec.inputs.items()
        self.files = [name for name, one in inputs if one.type == "bytes" and one.is_required]

    def step(self, step: Step, name: str, needs: list[str]) -> Object:
        """A step that is done once."""
        made = self._template(name, ["do", step.name, "--tries_before", "{{retries}}"], needs, outcome=True)
        made["inputs"]["parameters"] = _digests(needs)
        return {**made, **limits(step)}

    def all_items(self, step: Step, name: str, needs: list[str]) -> Object:
        """A step with ``forEach``: its items' numbers, each of them, and their outcomes together."""
        names = [outcome_of(need) for need in needs]
        given = {"artifacts": [{"name": one, "from": f"{{{{inputs.artifacts.{one}}}}}"} for one in names]}
        each = {"parameters": [{"name": "index", "value": "{{item}}"}], **given}
        return {
            "name": name,
            "inputs": {"parameters": _digests(needs), "artifacts": [{"name": one} for one in names]},
            "parallelism": step.parallel,
            "steps": [
                [{"name": "items", "template": f"{name}-items", "arguments": given}],
                [
                    {
                        "name": "item",
                        "template": f"{name}-item",
                        "withParam": "{{steps.items.outputs.parameters.items}}",
                        "arguments": each,
                    }
                ],
                [{"name": "join", "template": f"{name}-join", "arguments": given}],
            ],
            "outputs": {
                "parameters": [
                    {"name": "digest", "valueFrom": {"parameter": "{{steps.join.outputs.parameters.digest}}"}}
                ],
                "artifacts": [{"name": "outcome", "from": "{{steps.join.outputs.artifacts.outcome}}"}],
            },
        }

    def items(self, step: Step, name: str, needs: list[str]) -> list[Object]:
        """The pods of a step with ``forEach``."""
        numbers = self._template(f"{name}-items", ["items", step.name], needs)
        numbers["outputs"] = {"parameters": [{"name": "items", "valueFrom": {"path": f"{_AT}/outcome.json"}}]}
        numbers |= lost_pods()
        command = ["do", step.name, "--index", "{{inputs.parameters.index}}", "--tries_before", "{{retries}}"]
        item = self._template(f"{name}-item", command, needs)
        item["inputs"]["parameters"] = [{"name": "index"}]
        # By the workflow and not by the pod: another try of the item writes the same object.
        place = f"{{{{workflow.uid}}}}/{name}"
        item["outputs"] = {
            "artifacts": [
                {
                    "name": "outcome",
                    "path": f"{_AT}/outcome.json",
                    "archive": _AS_IT_IS,
                    "s3": {"key": f"{place}/{{{{inputs.parameters.index}}}}.json"},
                }
            ]
        }
        joined = self._template(
            f"{name}-join", ["join", step.name, "--items", f"{_AT}/items"], needs, outcome=True
        )
        joined["inputs"]["artifacts"].append(
            # There is none where the list is empty.
            {
                "name": "items",
                "path": f"{_AT}/items",
                "optional": True,
                "archive": _AS_IT_IS,
                "s3": {"key": place},
            }
        )
        return [numbers, {**item, **limits(step)}, {**joined, **lost_pods()}]

    def end(self, names: list[str]) -> Object:
        """The run's output."""
        made = self._template("end", ["end"], names)
        made["outputs"] = {
            "artifacts": [
                {
                    "name": "output",
                    "path": f"{_AT}/outcome.json",
                    "archive": _AS_IT_IS,
                    "s3": {"key": "{{workflow.uid}}/output.json"},
                }
            ]
        }
        return {**made, **lost_pods()}

    def ended(self) -> list[Object]:
        """What comes at the end in any case: whoever asked for it is told."""
        command = ["modelserve", "pipeline", "tell", self.pipeline.metadata.name]
        command += ["--webhook", "{{workflow.parameters.webhook}}", "--run_id", "{{workflow.uid}}"]
        command += ["--status", "{{workflow.status}}", "--failures", _FAILURES]
        tell = {
            "name": "tell",
            "activeDeadlineSeconds": STARTING_SECONDS + 10 * _TELL_SECONDS,
            "retryStrategy": {"limit": 8, "backoff": {"duration": "2", "factor": 2, "maxDuration": "10m"}},
            "container": self._container(command),
        }
        step = {"name": "tell", "template": "tell", "when": "'{{workflow.parameters.webhook}}' != ''"}
        return [{"name": "ended", "steps": [[step]]}, tell]

    def _template(self, name: str, action: list[str], needs: list[str], *, outcome: bool = False) -> Object:
        command = ["modelserve", "pipeline", "step", *action]
        command += ["--definition", f"{_AT}/pipeline.yaml", "--inputs", f"{_AT}/inputs.json"]
        command += ["--input_files", f"{_AT}/files"] if self.files else []
        command += ["--outcomes", f"{_AT}/outcomes", "--run_id", "{{workflow.uid}}"]
        command += ["--output", f"{_AT}/outcome.json", "--digest", f"{_AT}/digest"]
        artifacts: list[Object] = [
            {
                "name": "definition",
                "path": f"{_AT}/pipeline.yaml",
                "raw": {"data": definition_text(self.pipeline)},
            },
            {
                "name": "inputs",
                "path": f"{_AT}/inputs.json",
                "raw": {"data": _INPUTS},
            },
            *(
                {
                    "name": f"file-{name}",
                    "path": f"{_AT}/files/{name}",
                    "archive": _AS_IT_IS,
                    "s3": {"key": f"{{{{workflow.parameters.{name}-key}}}}"},
                }
                for name in self.files
            ),
            *(
                {"name": outcome_of(need), "path": f"{_AT}/outcomes/{self._step_of(need)}.json"}
                for need in needs
            ),
        ]
        made: Object = {
            "name": name,
            "inputs": {"artifacts": artifacts},
            "container": self._container(command),
        }
        if outcome:
            made["outputs"] = {
                "parameters": [{"name": "digest", "valueFrom": {"path": f"{_AT}/digest"}}],
                "artifacts": [{"name": "outcome", "path": f"{_AT}/outcome.json", "archive": _AS_IT_IS}],
            }
        return made

    def _container(self, command: list[str]) -> Object:
        return {
            "image": self._image,
            "command": command[:1],
            "args": command[1:],
            # Why a step failed is then told by argo get.
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "resources": {
                "requests": {"cpu": "50m", "memory": "128Mi"},
                "limits": {"cpu": "1", "memory": "512Mi"},
            },
            "securityContext": {**_NO_PRIVILEGES, "readOnlyRootFilesystem": True},
            "volumeMounts": [{"name": "work", "mountPath": _AT}],
        }

    def _step_of(self, task: str) -> str:
        return next(one.name for one in self.pipeline.spec.steps if task_name(one.name) == task)


def patch() -> str:
    """What Argo's own containers lack for the Pod Security Standard ``restricted``."""
    first = {"name": "init", "securityContext": _NO_PRIVILEGES}
    beside = {"name": "wait", "securityContext": _NO_PRIVILEGES}
    return json.dumps({"initContainers": [first], "containers": [beside]})


def task_name(step: str) -> str:
    """By which Argo knows a step."""
    return step.replace("_", "-").strip("-")


def outcome_of(task: str) -> str:
    """The artifact that a task's outcome is to others; no name of a step makes it one of theirs."""
    return f"of-{task}"


def definition_text(pipeline: Pipeline) -> str:
    """The definition as the pods get it."""
    return yaml.safe_dump(
        pipeline.model_dump(mode="json", by_alias=True, exclude_unset=True), sort_keys=False
    )


def _digests(needs: list[str]) -> list[Object]:
    """Parameters by which a memo's key tells what the steps before gave."""
    return [{"name": f"{need}-digest"} for need in needs]
