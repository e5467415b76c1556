"""The overlay of the shadow's README, built as it stands there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
README = (ROOT / "observability" / "shadow" / "README.md").read_text("utf-8")


def test_it_compares_another_service(build_folder: Callable[[Path], list[Object]], tmp_path: Path) -> None:
    overlay = "".join(re.findall(r"^```yaml\n(.*?)^```", README, re.M | re.S))
    root = os.path.relpath(ROOT, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(overlay.replace("../../..", root), "utf-8")
    objects = build_folder(tmp_path)
    (deployment,) = (one for one in objects if one["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["command"] + container["args"] == [
        *("modelserve", "shadow", "--listen=8080"),
        *("--namespace=$(NAMESPACE)", "--service=resnet-classifier", "--component=predictor"),
        "--to=http://resnet-classifier-candidate-predictor.$(NAMESPACE)",
    ]
    triggers = [one for one in objects if one["kind"] == "Trigger"]
    (service,) = (one for one in objects if one["kind"] == "Service")
    assert {one["spec"]["filter"]["attributes"]["inferenceservicename"] for one in triggers} == {
        "resnet-classifier"
    }
    assert {one["spec"]["filter"]["attributes"]["type"].rpartition(".")[2] for one in triggers} == {
        "request",
        "response",
    }
    assert {one["spec"]["subscriber"]["ref"]["name"] for one in triggers} == {service["metadata"]["name"]}
