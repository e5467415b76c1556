"""Objects in the documents are such as the code and the manifests take."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from documents import blocks

from modelserve.canary.controller.resource import spec_of
from modelserve.canary.running.specification import Specification, validated

ROOT = Path(__file__).parents[2]


def _objects(kind: str) -> Iterator[dict[str, Any]]:
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split():
        for block in blocks(ROOT / name):
            if block.language == "yaml" and re.search(rf"^kind: {kind}$", block.text, re.M):
                yield yaml.safe_load(block.text)


def test_canary_policies_can_be_obeyed() -> None:
    found = list(_objects("CanaryPolicy"))
    assert len(found) >= 2
    for policy in found:
        assert spec_of(policy).target_ref.name == "bert-ner"


def test_the_policy_of_the_reference_says_the_defaults() -> None:
    (text,) = [b.text for b in blocks(ROOT / "docs/canary/README.md") if b.text.startswith("steps:")]
    assert validated(Specification, yaml.safe_load(text)) == Specification()


def test_inference_services_name_formats_that_runtimes_have() -> None:
    runtimes = "".join(
        p.read_text("utf-8") for p in (ROOT / "inferenceservices/base").glob("*-runtimes.yaml")
    )
    known = {
        each["name"]
        for runtime in yaml.safe_load_all(runtimes.replace("apiVersion:", "---\napiVersion:"))
        if runtime
        for each in runtime["spec"]["supportedModelFormats"]
    }
    named = {one["spec"]["predictor"]["model"]["modelFormat"]["name"] for one in _objects("InferenceService")}
    assert named
    assert named <= known
