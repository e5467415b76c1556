"""What the canary judge's account may do, asked of a real API server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

RBAC = Path(__file__).parents[2] / "inferenceservices" / "components" / "rbac"
# Stopped: KServe makes nothing of it.
SERVICE = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "bert-ner", "annotations": {"serving.kserve.io/stop": "true"}},
    "spec": {
        "predictor": {
            "maxReplicas": 2,
            "model": {"modelFormat": {"name": "bert-token-classifier"}, "storageUri": "s3://models/bert-ner"},
        }
    },
}

Patch = Callable[..., "subprocess.CompletedProcess[str]"]


def _predictor(**fields: object) -> dict[str, Any]:
    return {"spec": {"predictor": fields}}


@pytest.fixture(scope="module")
def judge(namespace: Any) -> str:
    """The judge's account, as the API server names it."""
    return f"system:serviceaccount:{namespace.name}:canary-judge"


@pytest.fixture(scope="module")
def patch(namespace: Any, judge: str) -> Patch:
    """A patch that the server checks and does not keep: the judge's, or the test's own."""

    def patch(
        change: dict[str, Any], *, name: str = "bert-ner", by_judge: bool = True
    ) -> subprocess.CompletedProcess[str]:
        command = ["kubectl", "--namespace", namespace.name, "patch", "inferenceservice", name]
        command += ["--type=merge", f"--patch={json.dumps(change)}", "--dry-run=server"]
        command += [f"--as={judge}"] if by_judge else []
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return patch


@pytest.fixture(scope="module", autouse=True)
def rights(namespace: Any, patch: Patch, wait_for: Any) -> Iterator[None]:
    """A stopped InferenceService, and the judge's rights of the component `rbac`."""
    files = [(RBAC / name).read_text() for name in ("canary-judge.yaml", "canary-judge-policy.yaml")]
    # The policy is the cluster's: one that is there is left alone.
    manifest = "---\n".join(files).replace("modelserve-canary-judge", namespace.name)
    manifest = manifest.replace("namespace: modelserve}", f"namespace: {namespace.name}}}")
    try:
        namespace.kubectl("apply", "--filename=-", stdin=manifest)
        namespace.kubectl("apply", "--filename=-", stdin=json.dumps(SERVICE))
        # The API server takes a few seconds to hear of a new policy.
        wait_for(lambda: "judge may change" in patch(_predictor(maxReplicas=9)).stderr, seconds=30)
        yield
    finally:
        namespace.kubectl("delete", "--filename=-", "--wait=false", "--ignore-not-found", stdin=manifest)


@pytest.mark.parametrize("share", [0, 10, 100, None])
def test_the_judge_moves_the_traffic(share: int | None, patch: Patch) -> None:
    done = patch(_predictor(canaryTrafficPercent=share))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "change",
    [
        _predictor(maxReplicas=9),
        _predictor(minReplicas=0),
        _predictor(canaryTrafficPercent=10, model={"storageUri": "s3://elsewhere/bert-ner"}),
        _predictor(model={"resources": {"limits": {"cpu": "8"}}}),
        {"spec": {"transformer": {"containers": [{"name": "kserve-container", "image": "a:1"}]}}},
        {"metadata": {"annotations": {"poke": "1"}}},
        {"metadata": {"labels": {"poke": "1"}}},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_the_judge_changes_nothing_else(change: dict[str, Any], patch: Patch) -> None:
    done = patch(change)
    assert done.returncode != 0
    assert "the canary judge may change" in done.stderr


@pytest.mark.parametrize(
    ("verb", "name", "answer"),
    [
        ("patch", "bert-ner", "yes"),
        ("patch", "resnet-classifier", "yes"),
        ("patch", "another", "no"),
        ("update", "bert-ner", "no"),
        ("delete", "bert-ner", "no"),
        ("create", "bert-ner", "no"),
    ],
)
def test_the_judge_only_patches(verb: str, name: str, answer: str, namespace: Any, judge: str) -> None:
    asked = namespace.kubectl(
        "auth", "can-i", verb, f"inferenceservices/{name}", f"--as={judge}", check=False
    )
    assert asked.strip() == answer


def test_a_person_is_not_held_by_the_judges_policy(patch: Patch) -> None:
    done = patch(_predictor(maxReplicas=9), by_judge=False)
    assert done.returncode == 0, done.stderr
