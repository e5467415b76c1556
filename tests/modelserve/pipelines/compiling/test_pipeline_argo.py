"""The compiled template, done as Argo does it: its commands, with files where artifacts are."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from http_servers import Request, answering

from modelserve.pipelines.compiling.argo import ArgoSettings, workflow_template
from modelserve.pipelines.compiling.errors import CompileError
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.definition.reading import parse_pipeline, read_pipeline
from modelserve.pipelines.running.here import run_here

EXAMPLES = Path(__file__).parents[4] / "examples"

DEFINITION = """\
apiVersion: modelserve.dev/v1alpha1
kind: Pipeline
metadata: {name: shelf}
spec:
  inputs:
    texts: {type: "string[]"}
    photo: {type: bytes}
  models:
    echo: {url: "http://127.0.0.1:PORT"}
    other: {url: "http://127.0.0.1:PORT"}
  steps:
    - {name: each_one, model: echo, forEach: inputs.texts, inputs: {text: item}, retry: {limit: 3}}
    - {name: skipped, model: echo, when: "inputs.texts[?@ == 'none']", inputs: {text: inputs.photo}}
    - {name: photo, model: echo, inputs: {text: inputs.photo}, retry: {limit: 1}}
    - {name: bad, model: echo, inputs: {text: "'bad'"}, onFailure: continue}
    - {name: good, model: echo, inputs: {text: "'bad'"}, fallback: {value: "inputs.texts[0]"}}
    - name: again
      model: echo
      forEach: steps.each_one.output[].said[]
      inputs: {text: "join('', [item, 's'])"}
    - {name: none, model: echo, forEach: "inputs.texts[?@ == 'none']", inputs: {text: item}}
  output:
    each: steps.each_one.output[].said[]
    skipped: steps.skipped.status
    photo: steps.photo.output.said[0]
    bad: [steps.bad.status, steps.bad.output]
    good: [steps.good.status, steps.good.output]
    none: steps.none.output
    again: length(steps.again.output)
"""


@dataclass
class Echo:
    """Answers with its text; ``bad`` is refused, and ``busy`` is busy at first."""

    port: int = 0
    keys: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> tuple[int, bytes]:
        (text,) = json.loads(request.body)["inputs"][0]["data"]
        key = request.headers["Idempotency-Key"]
        self.keys.append(key)
        if text == "busy" and self.keys.count(key) < 3:
            return 503, b'{"error": "busy"}'
        if text in ("bad", "never"):
            return (400 if text == "bad" else 503), b'{"error": "no"}'
        output = {"name": "said", "datatype": "BYTES", "shape": [1], "data": [text]}
        return 200, json.dumps({"model_name": "m", "outputs": [output]}).encode()


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    with answering(made.answer) as made.port:
        yield made


class Failed(Exception):
    """A pod that is not tried again."""


class Workflow:
    """Does a WorkflowTemplate, with each object of S3 a file."""

    def __init__(self, template: dict[str, Any], folder: Path, parameters: dict[str, str]) -> None:
        self._templates = {one["name"]: one for one in template["spec"]["templates"]}
        declared = template["spec"]["arguments"]["parameters"]
        given = {one["name"]: parameters.get(one["name"], one.get("value")) for one in declared}
        assert None not in given.values()
        self._known = {f"workflow.parameters.{name}": value for name, value in given.items()}
        self._known |= {"workflow.uid": "uid-1", "workflow.status": "Succeeded"}
        self.s3, self._folder = folder / "s3", folder
        self.tries: dict[str, int] = {}
        self._pods = 0

    def run(self, name: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
        """A template's outputs, by ``parameters.NAME`` and ``artifacts.NAME``."""
        template, inputs = self._templates[name], dict(values or {})
        wanted = [f"parameters.{one['name']}" for one in template.get("inputs", {}).get("parameters", [])]
        assert set(wanted) <= set(inputs), (name, wanted, inputs)
        if "dag" in template:
            return self._dag(template)
        return self._steps(template, inputs) if "steps" in template else self._pod(template, inputs)

    def _dag(self, template: dict[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = {}
        left = {task["name"]: task for task in template["dag"]["tasks"]}
        while left:
            name = next(one for one in left if not set(left[one].get("dependencies", [])) & set(left))
            task = left.pop(name)
            outputs = self.run(task["template"], self._arguments(task, known))
            known |= {f"tasks.{name}.outputs.{key}": value for key, value in outputs.items()}
        return self._outputs(template, known)

    def _steps(self, template: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
        known = {f"inputs.{key}": value for key, value in inputs.items()}
        for (step,) in template["steps"]:
            if "when" in step and not eval(self._filled(step["when"], known)):
                continue
            if "withParam" not in step:
                outputs = self.run(step["template"], self._arguments(step, known))
                known |= {f"steps.{step['name']}.outputs.{key}": value for key, value in outputs.items()}
                continue
            for item in json.loads(self._filled(step["withParam"], known)):
                self.run(step["template"], self._arguments(step, {**known, "item": str(item)}))
        return self._outputs(template, known)

    def _pod(self, template: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
        retry = template.get("retryStrategy")
        for retries in range((retry["limit"] if retry else 0) + 1):
            self._pods += 1
            work = self._folder / f"pod-{self._pods}"
            known = {f"inputs.{key}": value for key, value in inputs.items()} | {"retries": str(retries)}
            self._place(template, inputs, known, work)
            container = template["container"]
            arguments = [self._filled(one, known).replace("/work", str(work)) for one in container["args"]]
            done = subprocess.run(
                [sys.executable, "-m", "modelserve.cli", *arguments],
                capture_output=True,
                text=True,
                check=False,
            )
            self.tries[template["name"]] = self.tries.get(template["name"], 0) + 1
            if done.returncode == 0:
                return self._written(template, known, work)
            if done.returncode != 75:
                break
        raise Failed(f"{template['name']}: {done.returncode}: {done.stderr}")

    def _place(
        self, template: dict[str, Any], inputs: dict[str, Any], known: dict[str, Any], work: Path
    ) -> None:
        work.mkdir()
        for artifact in template.get("inputs", {}).get("artifacts", []):
            path = work / Path(artifact["path"]).relative_to("/work")
            path.parent.mkdir(parents=True, exist_ok=True)
            if "raw" in artifact:
                path.write_text(self._filled(artifact["raw"]["data"], known), "utf-8")
                continue
            source = (
                self.s3 / self._filled(artifact["s3"]["key"], known)
                if "s3" in artifact
                else inputs[f"artifacts.{artifact['name']}"]
            )
            if source.is_dir():
                subprocess.run(["cp", "-r", str(source), str(path)], check=True)
            elif source.exists():
                path.write_bytes(source.read_bytes())
            else:
                assert artifact.get("optional"), source

    def _written(self, template: dict[str, Any], known: dict[str, Any], work: Path) -> dict[str, Any]:
        outputs: dict[str, Any] = {}
        for one in template.get("outputs", {}).get("parameters", []):
            text = (work / Path(one["valueFrom"]["path"]).relative_to("/work")).read_text("utf-8")
            outputs[f"parameters.{one['name']}"] = text
        for one in template.get("outputs", {}).get("artifacts", []):
            path = work / Path(one["path"]).relative_to("/work")
            if "s3" in one:
                target = self.s3 / self._filled(one["s3"]["key"], known)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
            outputs[f"artifacts.{one['name']}"] = path
        return outputs

    def _arguments(self, of: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        given = of.get("arguments", {})
        texts = {
            f"parameters.{one['name']}": self._filled(one["value"], known)
            for one in given.get("parameters", [])
        }
        files = {
            f"artifacts.{one['name']}": known[one["from"].strip("{}")] for one in given.get("artifacts", [])
        }
        return {**texts, **files}

    def _outputs(self, template: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        outputs = template.get("outputs", {})
        texts = {
            f"parameters.{one['name']}": known[one["valueFrom"]["parameter"].strip("{}")]
            for one in outputs.get("parameters", [])
        }
        return texts | {
            f"artifacts.{one['name']}": known[one["from"].strip("{}")] for one in outputs.get("artifacts", [])
        }

    def _filled(self, text: str, known: dict[str, Any]) -> str:
        whole = {**self._known, **known}
        return re.sub(r"\{\{([^{}=]+)\}\}", lambda found: str(whole[found[1].strip()]), text)


def definition(echo: Echo, *changes: tuple[str, str]) -> Pipeline:
    text = DEFINITION.replace("PORT", str(echo.port))
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_pipeline(text, "p.yaml")


def workflow(pipeline: Pipeline, folder: Path, texts: list[str]) -> Workflow:
    template = yaml.safe_load(
        yaml.safe_dump(workflow_template(pipeline, ArgoSettings("modelserve/pipelines:1")))
    )
    made = Workflow(template, folder, {"inputs": json.dumps({"texts": texts}), "photo-key": "photos/1"})
    (made.s3 / "photos").mkdir(parents=True)
    (made.s3 / "photos" / "1").write_bytes(b"\xff\xd8 photo")
    return made


def test_it_gives_what_a_run_in_one_process_gives(echo: Echo, tmp_path: Path) -> None:
    pipeline, texts = definition(echo), ["a", "busy", "c"]
    done = workflow(pipeline, tmp_path, texts)
    done.run("run")
    output = json.loads((done.s3 / "uid-1" / "output.json").read_text())
    assert done.tries["each-one-item"] == 5
    assert set(echo.keys) >= {f"uid-1-each_one-{index}-echo" for index in range(3)}
    echo.keys.clear()
    inputs = {"texts": texts, "photo": "/9ggcGhvdG8="}
    here = asyncio.run(run_here(pipeline, inputs, folder=Path(), urls={}, record={}))
    assert output == here.output
    assert output["each"] == texts
    assert (output["skipped"], output["none"], output["photo"]) == ("skipped", [], "/9ggcGhvdG8=")
    assert (output["bad"], output["good"]) == (["failed", None], ["fellBack", "a"])


@pytest.mark.parametrize("text", ["bad", "never"])
def test_a_step_that_fails_fails_the_workflow_after_its_tries(echo: Echo, tmp_path: Path, text: str) -> None:
    done = workflow(definition(echo), tmp_path, [text])
    with pytest.raises(Failed, match=r"each-one-item: 1: .*no"):
        done.run("run")
    assert done.tries["each-one-item"] == (1 if text == "bad" else 4)


def test_a_webhook_is_told_at_the_end(echo: Echo, tmp_path: Path) -> None:
    told: list[Request] = []

    def answer(request: Request) -> tuple[int, bytes]:
        told.append(request)
        return 200, b""

    template = workflow_template(definition(echo), ArgoSettings("modelserve/pipelines:1"))
    with answering(answer) as port:
        parameters = {"photo-key": "x", "webhook": f"http://127.0.0.1:{port}/"}
        Workflow(template, tmp_path, parameters).run(template["spec"]["onExit"])
        silent = Workflow(template, tmp_path, {"photo-key": "x"})
        silent.run(template["spec"]["onExit"])
    (request,) = told
    assert json.loads(request.body)["status"] == "succeeded"
    assert {name.lower(): value for name, value in request.headers.items()}["ce-id"] == "uid-1-1"
    assert silent.tries == {}


def test_a_memo_is_of_the_step_its_inputs_and_what_it_needs(echo: Echo) -> None:
    def keys(*changes: tuple[str, str]) -> dict[str, str]:
        made = workflow_template(definition(echo, *changes), ArgoSettings("i:1", memoize_seconds=60))
        return {one["name"]: one["memoize"]["key"] for one in made["spec"]["templates"] if "memoize" in one}

    first, changed = (
        keys(),
        keys(("text: inputs.photo}, retry: {limit: 1}", "text: inputs.photo}, retry: {limit: 2}")),
    )
    assert len(first) == 7
    assert {name for name in first if first[name] != changed[name]} == {"photo"}
    needs = workflow_template(
        read_pipeline(EXAMPLES / "document-batch/pipeline.yaml"), ArgoSettings("i:1", memoize_seconds=60)
    )
    (redacted,) = [one["memoize"]["key"] for one in needs["spec"]["templates"] if one["name"] == "redacted"]
    assert redacted.endswith("-{{inputs.parameters.gathered-digest}}")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: bad,", "name: run,", "step run: Argo's names have no underscores, and run is taken"),
        ("name: bad,", "name: __,", "step __: Argo's names have no underscores, and nothing is taken"),
        ("name: bad,", f"name: {'b' * 60},", "its name has 60 characters; 57 are accepted"),
    ],
)
def test_what_argo_cannot_do_is_told(echo: Echo, old: str, new: str, said: str) -> None:
    made = definition(echo, (old, new), ("steps.bad.status, steps.bad.output", "1"))
    with pytest.raises(CompileError, match=re.escape(said)):
        workflow_template(made, ArgoSettings("i:1"))


def test_all_reasons_are_told_at_once(echo: Echo) -> None:
    made = definition(
        echo,
        ("{name: good,", "{name: _each_one,"),
        (
            f'other: {{url: "http://127.0.0.1:{echo.port}"}}',
            "other: {inProcess: {predictor: bert_ner, modelDir: x}}",
        ),
        ("steps.good.status, steps.good.output", "1"),
    )
    with pytest.raises(CompileError) as told:
        workflow_template(made, ArgoSettings("i:1"))
    assert len(told.value.reasons) == 2
