"""What ``compile --to argo`` makes, as Argo Workflows has it: its definitions, and its own linter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").iterdir())

SHELF = """\
apiVersion: modelserve.dev/v1alpha1
kind: Pipeline
metadata: {name: shelf, labels: {team: photos}}
spec:
  inputs: {texts: {type: "string[]"}, photo: {type: bytes}}
  models: {ner: {inferenceService: {name: bert-ner}}, see: {url: "http://see.models"}}
  steps:
    - {name: each_text, model: ner, forEach: inputs.texts, parallel: 2, inputs: {text: item}}
    - {name: items, model: see, forEach: inputs.texts, inputs: {text: item}, onFailure: continue}
    - {name: inputs, model: see, inputs: {photo: inputs.photo}, fallback: {value: steps.items.output}}
    - name: last
      model: see
      when: steps.inputs.output
      inputs: {text: "[steps.each_text.output]"}
      retry: {limit: 3}
  output: steps.last.output
"""
"""What the examples have not: lists of items, files, and names that Argo's own parts could have."""


@pytest.fixture(params=[*EXAMPLES, SHELF], ids=lambda one: getattr(one, "name", "shelf"))
def template(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A compiled pipeline."""
    definition, path = request.param, tmp_path / "template.yaml"
    if isinstance(definition, str):
        definition = tmp_path / "pipeline.yaml"
        definition.write_text(request.param, "utf-8")
    command = [
        sys.executable,
        "-m",
        "modelserve.cli",
        "pipeline",
        "compile",
        str(definition),
        "--to",
        "argo",
    ]
    command += ["--memoize_seconds", "3600", "--output", str(path)]
    subprocess.run(command, check=True, timeout=120)
    return path


@pytest.fixture(scope="module")
def lint() -> list[str]:
    """Argo's command line, or the program that ARGO_LINT names."""
    if "ARGO_LINT" in os.environ:
        return [os.environ["ARGO_LINT"]]
    if shutil.which("argo"):
        return ["argo", "lint", "--offline", "--output", "simple"]
    pytest.skip("there is no argo on PATH, and ARGO_LINT names no linter")


def linted(lint: list[str], path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*lint, str(path)], capture_output=True, text=True, check=False, timeout=120)


def test_the_api_server_takes_it(namespace: Any, template: Path) -> None:
    if not namespace.kubectl("get", "crd", "workflowtemplates.argoproj.io", "--ignore-not-found"):
        pytest.skip("the cluster has no definitions of Argo Workflows")
    said = namespace.kubectl("apply", "--server-side", "--dry-run=server", f"--filename={template}")
    assert "workflowtemplate.argoproj.io" in said


def test_argos_linter_takes_it(lint: list[str], template: Path) -> None:
    done = linted(lint, template)
    assert done.returncode == 0, done.stdout + done.stderr


def test_argos_linter_refuses_what_does_not_hold_together(lint: list[str], template: Path) -> None:
    found = yaml.safe_load(template.read_text("utf-8"))
    (run,) = [one for one in found["spec"]["templates"] if one["name"] == "run"]
    run["dag"]["tasks"][-1]["dependencies"].append("nobody")
    template.write_text(yaml.safe_dump(found), "utf-8")
    done = linted(lint, template)
    assert done.returncode != 0
    assert "nobody" in done.stdout + done.stderr
