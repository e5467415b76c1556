"""Both examples on a cluster, as InferenceGraphs and through Redis, give what a run in one process gives."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from confinement import assert_confined
from pipeline_servers import pipelines_at

ROOT = Path(__file__).parents[2]
SHELF = ROOT / "inferenceservices"
PHOTO = ROOT / "samples" / "images" / "cat.jpg"
MODELS = ("bert-ner", "resnet-classifier")
INPUTS: dict[str, tuple[str, ...]] = {
    "news-photo": (
        f"--input_file=photo={PHOTO}",
        "--input=caption=Angela Merkel met Barack Obama in Berlin; Siemens paid.",
    ),
    "document-batch": (f"--inputs={ROOT / 'examples' / 'document-batch' / 'inputs.json'}",),
}


def _pipeline(*arguments: str) -> subprocess.CompletedProcess[str]:
    """``modelserve pipeline``, as users have it."""
    return subprocess.run(
        [sys.executable, "-m", "modelserve.cli", "pipeline", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def _output(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _same(found: Any, expected: Any) -> bool:
    """Whether it is the same, but for what another batch makes of numbers."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return list(found) == list(expected) and all(_same(found[key], expected[key]) for key in expected)
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(_same, found, expected))
    if isinstance(expected, float) and isinstance(found, float):
        return abs(found - expected) <= 1e-4
    return bool(found == expected)


@pytest.fixture(scope="module")
def models(namespace: Any) -> None:
    """Both predictors over REST, without what is in front of them."""
    rest = {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 2}
    container = "/spec/predictor/containers/0"
    by_rest = [
        {
            "op": "replace",
            "path": f"{container}/ports",
            "value": [{"name": "http1", "containerPort": 8080, "protocol": "TCP"}],
        },
        *(
            {"op": "replace", "path": f"{container}/{probe}", "value": rest}
            for probe in ("readinessProbe", "livenessProbe")
        ),
    ]
    namespace.apply(
        {
            "resources": ["base"],
            "images": [
                {"name": f"modelserve/{name}", "newName": f"dev.local/{name}-sample", "newTag": "dev"}
                for name in MODELS
            ],
            "patches": [
                {
                    "patch": (SHELF / "overlays" / "local" / f"{name}.yaml").read_text(),
                    "target": {"kind": "InferenceService", "name": name},
                }
                for name in MODELS
            ]
            + [
                {
                    "patch": yaml.safe_dump(by_rest),
                    "target": {"kind": "InferenceService", "name": "resnet-classifier"},
                }
            ],
        }
    )


@pytest.fixture(scope="module")
def server(namespace: Any, models: None, own_address: str) -> Iterator[str]:
    """The pipeline server's URL on this machine, with workers, Redis, and a PostgreSQL beside the cluster."""
    with pipelines_at(namespace, own_address, list(INPUTS)) as url:
        for name in MODELS:
            namespace.wait_ready("inferenceservice", name)
        yield url


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What the examples give in one process, with the same models."""
    return {
        name: _output(_pipeline("run", str(ROOT / "examples" / name), *inputs))
        for name, inputs in INPUTS.items()
    }


@pytest.fixture(scope="module")
def graphs(namespace: Any, server: str) -> dict[str, str]:
    """The addresses of the examples' InferenceGraphs."""
    for name in INPUTS:
        made = _pipeline(
            *("compile", str(ROOT / "examples" / name), "--to=inferencegraph"),
            *(f"--namespace={namespace.name}", "--leave_out=retry"),
        )
        assert made.returncode == 0, made.stderr
        namespace.kubectl("apply", "--server-side", "--filename=-", stdin=made.stdout)
    for name in INPUTS:
        namespace.kubectl("wait", "--for=condition=Ready", f"inferencegraph/{name}", "--timeout=180s")
    return {name: namespace.get("inferencegraph", name)["status"]["url"] for name in INPUTS}


def inputs_of(name: str) -> dict[str, Any]:
    if name == "document-batch":
        found: dict[str, Any] = json.loads((ROOT / "examples" / name / "inputs.json").read_text("utf-8"))
        return found
    caption = INPUTS[name][1].partition("=")[2].partition("=")[2]
    return {"photo": base64.b64encode(PHOTO.read_bytes()).decode(), "caption": caption}


@pytest.mark.parametrize("name", INPUTS)
def test_an_inference_graph_gives_the_same(
    name: str, namespace: Any, graphs: dict[str, str], expected: dict[str, Any]
) -> None:
    answer = namespace.gateway.post(graphs[name], "/", json={"inputs": inputs_of(name)})
    assert answer.status_code == 200, answer.text
    assert _same(answer.json(), expected[name]), (answer.json(), expected[name])


@pytest.mark.parametrize("name", INPUTS)
def test_workers_give_the_same(name: str, server: str, expected: dict[str, Any]) -> None:
    found = _output(_pipeline("submit", name, *INPUTS[name], f"--url={server}", "--wait_seconds=90"))
    assert _same(found, expected[name]), (found, expected[name])


def test_server_and_workers_run_without_privileges(server: str, namespace: Any) -> None:
    assert_confined(namespace, "pipeline-server", "pipeline-worker")


def test_a_graph_asks_no_model_where_a_step_is_skipped(namespace: Any, graphs: dict[str, str]) -> None:
    answer = namespace.gateway.post(graphs["document-batch"], "/", json={"inputs": {"documents": [" "]}})
    assert (answer.status_code, answer.json()) == (200, {"documents": [" "], "counts": {}})


def test_a_graph_tells_what_it_accepts(namespace: Any, graphs: dict[str, str]) -> None:
    answer = namespace.gateway.post(graphs["news-photo"], "/", json={"inputs": {"caption": "a"}})
    assert (answer.status_code, answer.json()) == (
        400,
        {"error": "input photo is missing; base64 of bytes is accepted"},
    )


def test_a_graph_tells_what_a_model_refuses(namespace: Any, graphs: dict[str, str]) -> None:
    inputs = {"caption": "a", "photo": base64.b64encode(b"no image").decode()}
    answer = namespace.gateway.post(graphs["news-photo"], "/", json={"inputs": inputs})
    assert answer.status_code == 400, answer.text
    assert "image" in answer.json()["error"]


def test_without_the_server_a_graph_says_that_it_failed(namespace: Any, graphs: dict[str, str]) -> None:
    namespace.kubectl("scale", "deployment/pipeline-server", "--replicas=0")
    namespace.kubectl("wait", "--for=delete", "pod", "--selector=app=pipeline-server", "--timeout=90s")
    answer = namespace.gateway.post(graphs["document-batch"], "/", json={"inputs": {"documents": ["a"]}})
    assert answer.status_code == 500
    assert answer.json()["error"] == "Failed to process request"
