"""The compiled template, done as Argo does it: its commands, with files where artifacts are."""

from __future__ import annotations

import asyncio
import hashlib
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
from modelserve.pipelines.definition.reading import parse_pipeline
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
    - {name: items, model: echo, forEach: "['bad', 'x']", inputs: {text: item}, onFailure: continue}
    - {name: inputs, function: split_documents, inputs: {documents: steps.items.output}, when: "`false`"}
    - {name: last, model: echo, inputs: {text: "steps.items.output[1].said[0]"}, needs: [inputs]}
  output:
    each: steps.each_one.output[].said[]
    skipped: steps.skipped.status
    photo: steps.photo.output.said[0]
    bad: [steps.bad.status, steps.bad.output]
    good: [steps.good.status, steps.good.output]
    none: steps.none.output
    again: length(steps.again.output)
    items: [steps.items.status, steps.items.output]
    last: steps.last.output.said[0]
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


class Values(dict[str, Any]):
    """Values by ``a.b`` and by ``a['b']``."""

    __getattr__ = dict.__getitem__


def evaluated(expression: str, known: dict[str, str]) -> str:
    """Argo's expressions, as far as they are Python's too."""
    names = Values()
    for name, value in known.items():
        *folders, last = name.split(".", 2)
        inside = names
        for folder in folders:
            inside = inside.setdefault(folder, Values())
        inside[last] = value
    functions = {
        "replace": str.replace,
        "toJson": json.dumps,
        "sprig": Values(
            trunc=lambda length, text: text[:length],
            sha256sum=lambda text: hashlib.sha256(text.encode()).hexdigest(),
        ),
    }
    return str(eval(expression, {**functions, **names}))


class Workflow:
    """Does a WorkflowTemplate, with each object of S3 a file."""

    def __init__(
        self,
        template: dict[str, Any],
        folder: Path,
        parameters: dict[str, str],
        *,
        status: str = "Succeeded",
    ) -> None:
        self._templates = {one["name"]: one for one in template["spec"]["templates"]}
        declared = template["spec"]["arguments"]["parameters"]
        given = {one["name"]: parameters.get(one["name"], one.get("value")) for one in declared}
        assert None not in given.values()
        self._known = {f"workflow.parameters.{name}": value for name, value in given.items()}
        self._known |= {"workflow.uid": "uid-1", "workflow.status": status}
        self.failures = ""
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
            if done.returncode in (1, 2):
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

        def value(found: re.Match[str]) -> str:
            if "workflow.failures" in found[1]:
                return self.failures
            return str(evaluated(found[1][1:], whole) if found[1][0] == "=" else whole[found[1]])

        once = re.sub(r"\{\{(.+?)\}\}", value, text)
        # What was put in is looked through as well.
        return re.sub(r"\{\{(.+?)\}\}", value, once)


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
    pipeline, texts = definition(echo), ["a", "busy", "{{workflow.uid}} {{{=1+1}}"]
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
    assert (output["items"], output["last"]) == (["fellBack", [None, {"said": ["x"]}]], "x")


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
    inputs = {
        "workflow.parameters.inputs": "{}",
        "workflow.parameters.photo-key": "photos/1",
        "inputs.parameters.inputs-digest": "0123",
        "inputs.parameters.items-digest": "0123",
    }

    def keys(*changes: tuple[str, str], **given: str) -> dict[str, str]:
        made = workflow_template(definition(echo, *changes), ArgoSettings("i:1", memoize_seconds=60))
        known = {name: given.get(name.rpartition(".")[2].replace("-", "_"), inputs[name]) for name in inputs}
        return {
            one["name"]: re.sub(
                r"\{\{=(.+?)\}\}", lambda found: evaluated(found[1], known), one["memoize"]["key"]
            )
            for one in made["spec"]["templates"]
            if one["name"] in ("photo", "skipped", "last")
        }

    def changed(*changes: tuple[str, str], **given: str) -> set[str]:
        return {name for name, key in keys(*changes, **given).items() if key != first[name]}

    first = keys()
    assert all(re.fullmatch("[a-zA-Z0-9][-a-zA-Z0-9]{,252}", key) for key in first.values())
    assert changed() == set()
    assert changed(("{text: inputs.photo}, retry: {limit: 1}", "{text: inputs.photo}")) == {"photo"}
    assert changed(inputs='{"texts": []}') == {"photo", "skipped", "last"}
    assert changed(photo_key="photos/2") == {"photo", "skipped", "last"}
    assert changed(inputs_digest="4567") == changed(items_digest="4567") == {"last"}


def test_what_stands_for_a_failure_is_no_memo_and_lists_are_none(echo: Echo) -> None:
    made = workflow_template(definition(echo), ArgoSettings("i:1", memoize_seconds=60))
    memos = {one["name"] for one in made["spec"]["templates"] if "memoize" in one}
    assert memos == {"skipped", "photo", "inputs", "last"}


def test_a_failed_run_is_told_with_its_reasons(echo: Echo, tmp_path: Path) -> None:
    told: list[Request] = []

    def answer(request: Request) -> tuple[int, bytes]:
        told.append(request)
        return 200, b""

    template = workflow_template(definition(echo), ArgoSettings("modelserve/pipelines:1"))
    with answering(answer) as port:
        parameters = {"photo-key": "x", "webhook": f"http://127.0.0.1:{port}/"}
        ended = Workflow(template, tmp_path, parameters, status="Failed")
        ended.failures = "photo(0): main: Error (exit code 1): no"
        ended.run(template["spec"]["onExit"])
    (request,) = told
    found = json.loads(request.body)
    assert (found["status"], found["error"]) == ("failed", "photo(0): main: Error (exit code 1): no")


@pytest.mark.parametrize(
    ("said", "limit", "backoff"),
    [
        (
            "{limit: 5, initialSeconds: 0.25, factor: 3, maxSeconds: 20}",
            5,
            {"duration": "250ms", "factor": 3, "cap": "20000ms"},
        ),
        ("{limit: 0}", 2, {"duration": "500ms", "factor": 2, "cap": "30000ms"}),
        # 2 to the power of 40 times half a second is too long for Argo to count.
        ("{limit: 40}", 40, {"duration": "30000ms", "factor": 1, "cap": "30000ms"}),
    ],
)
def test_tries_pause_as_they_do_in_one_process(
    echo: Echo, said: str, limit: int, backoff: dict[str, Any]
) -> None:
    changed = definition(
        echo, ("{text: inputs.photo}, retry: {limit: 1}", f"{{text: inputs.photo}}, retry: {said}")
    )
    made = workflow_template(changed, ArgoSettings("i:1"))
    (photo,) = [one for one in made["spec"]["templates"] if one["name"] == "photo"]
    assert (photo["retryStrategy"]["limit"], photo["retryStrategy"]["backoff"]) == (limit, backoff)


def test_limits_have_time_for_the_starts_of_pods(echo: Echo) -> None:
    changed = definition(
        echo,
        ("{text: inputs.photo}, retry", "{text: inputs.photo}, timeoutSeconds: 0.3, retry"),
        ("  output:\n", "  timeoutSeconds: 0.4\n  output:\n"),
    )
    made = workflow_template(changed, ArgoSettings("i:1"))
    (photo,) = [one for one in made["spec"]["templates"] if one["name"] == "photo"]
    assert photo["activeDeadlineSeconds"] == 121
    # The pods of items, then a step, then another behind it or the three of "again"; and the output's.
    assert made["spec"]["activeDeadlineSeconds"] == 1 + 120 * (3 + 3 + 1 + 1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: bad,", "name: run,", "step run: Argo's names have no underscores, and run is taken"),
        ("name: bad,", "name: __,", "step __: Argo's names have no underscores, and nothing is taken"),
        ("name: bad,", "name: each_one_item,", "step each_one_item: Argo's names have no underscores"),
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


def test_a_template_that_etcd_would_not_take_is_refused(echo: Echo) -> None:
    made = definition(echo, ("each: steps", f"more: \"'{'x' * 100_000}'\"\n    each: steps"))
    with pytest.raises(CompileError, match=r"its template has \d+ bytes, .*; 1048576 are accepted"):
        workflow_template(made, ArgoSettings("i:1"))
