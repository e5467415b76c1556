"""What a deployment writes: the image is in the InferenceService, and the runtimes stay as they are."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
IMAGE = f"registry.example.com/modelserve/bert-ner@sha256:{'a' * 64}"


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_an_image_is_a_change_of_its_inference_service_alone(
    environment: str, checkout: Any, build_folder: Callable[[Path], list[dict[str, Any]]], tmp_path: Path
) -> None:
    done = checkout.run("deploy_branch.py", "deploy", environment, "HEAD", f"bert-ner={IMAGE}")
    assert done.returncode == 0, done.stderr
    cluster = tmp_path / "cluster"
    branch = f"--branch=deploy/{environment}"
    subprocess.run(["git", "clone", "--quiet", branch, checkout.remote, cluster], check=True)

    overlay = Path("inferenceservices") / "overlays" / environment
    before, after = build_folder(ROOT / overlay), build_folder(cluster / overlay)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new["metadata"]["name"] for _, new in changed] == ["bert-ner"]
    ((old, new),) = changed
    assert new["kind"] == "InferenceService"
    # KServe merges the model's container over the runtime's, so that this image is what runs.
    assert new["spec"]["predictor"]["model"].pop("image") == IMAGE
    assert new == old
