from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelserve.cli import main
from modelserve.pipelines.compiling.errors import CompileError
from modelserve.pipelines.compiling.inference_graph import inference_graph
from modelserve.pipelines.definition.models import Pipeline

Object = dict[str, Any]
ROOT = Path(__file__).parents[4]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/pipeline.yaml"))
GRAPHS = ROOT / "inferenceservices" / "pipelines" / "graphs"
SERVER = "http://pipeline-server/v1alpha1/pipelines/small/graph"


def pipeline(*steps: Object, models: Object | None = None, **spec: Any) -> Pipeline:
    models = models or {"one": {"url": "http://one:8080"}, "two": {"url": "http://two:8080/"}}
    whole = {"models": models, "steps": list(steps), "output": "inputs", **spec}
    return Pipeline.model_validate({"metadata": {"name": "small"}, "spec": whole})


def graph(made: Pipeline, **options: Any) -> Object:
    found: Object = inference_graph(made, server_url="http://pipeline-server/", **options)["spec"]
    return found


def step(name: str = "a", **fields: Any) -> Object:
    return {"name": name, **({} if {"function", "ensemble"} & fields.keys() else {"model": "one"}), **fields}


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_the_examples_graphs_are_those_that_are_deployed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    arguments = ["pipeline", "compile", str(folder), "--to=inferencegraph"]
    arguments += ["--namespace=modelserve", "--leave_out=retry", f"--output={tmp_path / 'graph.yaml'}"]
    assert main(arguments) == 0
    assert (tmp_path / "graph.yaml").read_text() == (GRAPHS / f"{folder.name}.yaml").read_text()


def test_a_graph_has_a_layer_for_steps_that_do_not_look_at_each_other() -> None:
    made = pipeline(
        step("a"),
        step("b", ensemble=["one", "two"]),
        {"name": "f", "function": "redact", "inputs": {"texts": "steps.a.output"}},
        step("c", inputs={"x": "steps.f.output"}),
    )
    nodes = graph(made)["nodes"]
    assert set(nodes) == {"root", "layer-1", "layer-2", "step-a", "step-b", "step-c", "models-b"}
    root = nodes["root"]
    assert root["routerType"] == "Sequence"
    assert [one.get("nodeName") or one["serviceUrl"] for one in root["steps"]] == [
        f"{SERVER}/begin",
        "layer-1",
        f"{SERVER}/join",
        "layer-2",
        f"{SERVER}/output",
    ]
    assert [one["name"] for one in nodes["layer-1"]["steps"]] == ["so-far", "a", "b"]
    assert [one["name"] for one in nodes["layer-2"]["steps"]] == ["so-far", "c"]
    assert nodes["step-a"] == {
        "routerType": "Sequence",
        "steps": [
            {"name": "request", "serviceUrl": f"{SERVER}/steps/a", "dependency": "Hard"},
            {
                "name": "model",
                "serviceUrl": "http://one:8080/v2/models/one/infer",
                "dependency": "Hard",
                "condition": "inputs",
                "data": "$response",
            },
        ],
    }
    assert nodes["models-b"] == {
        "routerType": "Ensemble",
        "steps": [
            {
                "name": name,
                "serviceUrl": f"http://{name}:8080/v2/models/{name}/infer",
                "dependency": "Hard",
            }
            for name in ("one", "two")
        ],
    }


def test_functions_alone_need_no_layer() -> None:
    made = pipeline({"name": "f", "function": "redact"})
    assert [one["serviceUrl"] for one in graph(made)["nodes"]["root"]["steps"]] == [
        f"{SERVER}/begin",
        f"{SERVER}/output",
    ]


@pytest.mark.parametrize(
    ("model", "url"),
    [
        (
            {"inferenceService": {"name": "ner"}},
            "http://ner-predictor.here.svc.cluster.local/v2/models/ner/infer",
        ),
        (
            {"inferenceService": {"name": "ner", "namespace": "there", "component": "transformer"}},
            "http://ner-transformer.there.svc.cluster.local/v2/models/ner/infer",
        ),
        (
            {"inferenceService": {"name": "ner"}, "modelName": "m", "url": "http://else"},
            "http://ner-predictor.here.svc.cluster.local/v2/models/m/infer",
        ),
        ({"url": "http://s:1/base", "modelName": "m"}, "http://s:1/base/v2/models/m/infer"),
    ],
)
def test_a_model_is_called_where_it_is(model: Object, url: str) -> None:
    made = pipeline(step(), models={"one": model})
    assert graph(made, namespace="here")["nodes"]["step-a"]["steps"][1]["serviceUrl"] == url


@pytest.mark.parametrize(
    ("spec", "fields", "limits"),
    [
        ({}, {}, (300, 60)),
        ({"timeoutSeconds": 20.5}, {"timeoutSeconds": 0.5}, (21, 1)),
    ],
)
def test_limits_are_the_routers(spec: Object, fields: Object, limits: tuple[int, int]) -> None:
    found = graph(pipeline(step(**fields), **spec))
    run, call = limits
    assert found["timeout"] == run
    assert found["routerTimeouts"]["serviceClient"] == call
    assert found["routerTimeouts"]["serverWrite"] > run, "Knative's own answer comes first"


INFERENCE_SERVICE = {"one": {"inferenceService": {"name": "ner"}}}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: pipeline(step(forEach="inputs.x")), "step a: a graph has no forEach"),
        (lambda: pipeline(step(retry={})), "step a: the router calls a model once"),
        (lambda: pipeline(step(fallback={"value": 1})), "step a: a call without an answer ends the whole"),
        (
            lambda: pipeline(step(fallback={"model": "two"})),
            "step a: a call without an answer ends the whole",
        ),
        (lambda: pipeline(step(onFailure="continue")), "step a: a call without an answer ends the whole"),
        (
            lambda: pipeline(step(function="redact", fallback={"model": "two"})),
            "step a: a function falls back to a model",
        ),
        (lambda: pipeline(step(), step("b", timeoutSeconds=5)), "steps have timeoutSeconds of 5, 60"),
        (
            lambda: pipeline(step(), models=INFERENCE_SERVICE),
            "model one: its inferenceService has no namespace",
        ),
        (
            lambda: pipeline(step(), models={"one": {"inProcess": {"predictor": "p", "modelDir": "m"}}}),
            "model one is within a process only",
        ),
    ],
)
def test_what_a_graph_cannot_do_is_refused(make: Callable[[], Pipeline], reason: str) -> None:
    with pytest.raises(CompileError) as caught:
        graph(make())
    (told,) = caught.value.reasons
    assert told.startswith(reason)


@pytest.mark.parametrize(
    "fields",
    [
        {"forEach": "inputs.x", "inputs": {"texts": "item"}},
        {"retry": {}},
        {"fallback": {"value": 1}},
        {"onFailure": "continue"},
    ],
    ids=str,
)
def test_a_function_may_have_what_the_server_does(fields: Object) -> None:
    graph(pipeline(step(function="redact", **fields)))


@pytest.mark.parametrize(
    ("what", "steps"),
    [
        ("retry", [step(retry={})]),
        ("fallback", [step(fallback={"model": "two"})]),
        ("timeouts", [step(), step("b", timeoutSeconds=90)]),
    ],
)
def test_what_is_left_out_is_no_reason(what: str, steps: list[Object]) -> None:
    found = graph(pipeline(*steps), leave_out=[what])
    assert found["routerTimeouts"]["serviceClient"] == (90 if what == "timeouts" else 60)


def test_models_that_no_step_asks_are_not_looked_at() -> None:
    models = {"one": {"url": "http://one"}, "spare": {"inProcess": {"predictor": "p", "modelDir": "m"}}}
    graph(pipeline(step(), models=models))


def test_all_reasons_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", "compile", str(EXAMPLES[0]), "--to=inferencegraph"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    told = [line.partition("pipeline.yaml: ")[2] for line in printed.err.splitlines()]
    assert told == [
        "step names: the router calls a model once; leave out retry",
        "model tagger: its inferenceService has no namespace; say one there, or by --namespace",
    ]


def test_the_graph_is_printed_in_yaml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pipeline.yaml"
    made = pipeline(step()).model_dump(mode="json", by_alias=True, exclude_unset=True)
    made["metadata"] |= {"labels": {"team": "a"}, "annotations": {"note": "é"}}
    head = {"apiVersion": "modelserve.dev/v1alpha1", "kind": "Pipeline"}
    path.write_text(yaml.safe_dump({**head, **made}))
    assert main(["pipeline", "compile", str(path), "--to=inferencegraph", "--server_url=https://s:1/"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["metadata"] == {"name": "small", "labels": {"team": "a"}, "annotations": {"note": "é"}}
    (first, *_) = printed["spec"]["nodes"]["root"]["steps"]
    assert first["serviceUrl"] == "https://s:1/v1alpha1/pipelines/small/graph/begin"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["no-such.yaml", "--to=inferencegraph"], 2, "no-such.yaml cannot be read"),
        ([str(EXAMPLES[0]), "--to=inferencegraph", "--output=/no/such/folder"], 1, "leave out retry"),
        (
            [
                str(EXAMPLES[0]),
                "--to=inferencegraph",
                "--namespace=a",
                "--leave_out=retry",
                "--output=/no/such",
            ],
            2,
            "/no/such cannot be written",
        ),
        ([str(ROOT / "README.md"), "--to=inferencegraph"], 1, "README.md:"),
    ],
)
def test_what_is_wrong_is_told(
    arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pipeline", "compile", *arguments]) == status
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to=airflow"], "invalid choice: 'airflow'"),
        (
            ["--to=inferencegraph", "--leave_out=retry,when"],
            "'when' cannot be left out; any of retry, fallback",
        ),
        (["--to=inferencegraph", "--server_url=pipeline-server"], "'pipeline-server' is no address"),
        ([], "required: --to"),
    ],
)
def test_bad_usage_is_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["pipeline", "compile", "pipeline.yaml", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
