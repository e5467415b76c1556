"""A commit that Flux brings to the cluster, and a canary's share that no sync takes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

PATH = "/v2/models/bert-ner/infer"
BODY = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Merkel in Berlin"]}]}


@pytest.fixture(scope="module")
def commit(flux: Any, sample_predictor: Callable[[str], dict[str, Any]]) -> Callable[..., str]:
    """Commits the manifests with a version of the model."""

    def commit(version: str, **notes: str) -> str:
        overlay = sample_predictor("bert-ner")
        flag = {
            "op": "add",
            "path": "/spec/predictor/containers/0/args/-",
            "value": f"--model_version={version}",
        }
        overlay["patches"].append(
            {"patch": yaml.safe_dump([flag]), "target": {"kind": "InferenceService", "name": "bert-ner"}}
        )
        return str(flux.commit(overlay, f"Serve version {version}", **notes))

    return commit


def version_and_revision(namespace: Any, url: str) -> tuple[str, str]:
    answer = namespace.gateway.post(url, PATH, json=BODY)
    assert answer.status_code == 200, answer.text
    return answer.json()["model_version"], answer.json()["parameters"]["revision"]


def test_a_commit_changes_the_model_and_a_canarys_share_outlives_the_sync(
    commit: Callable[..., str], flux: Any, namespace: Any, wait_for: Any
) -> None:
    commit("1")
    wait_for(lambda: "bert-ner" in namespace.kubectl("get", "inferenceservice", "--output=name"), seconds=120)
    url = namespace.predictor_url("bert-ner")
    assert version_and_revision(namespace, url)[0] == "1"

    commit("2")
    wait_for(lambda: version_and_revision(namespace, url)[0] == "2", seconds=180)
    namespace.wait_ready("inferenceservice", "bert-ner")
    revision = version_and_revision(namespace, url)[1]

    # A person goes back to the revision before: 0 after a promotion.
    namespace.kubectl(
        *("patch", "inferenceservice", "bert-ner", "--type=merge", "--field-manager=canary"),
        '--patch={"spec": {"predictor": {"canaryTrafficPercent": 0}}}',
    )
    wait_for(lambda: version_and_revision(namespace, url)[0] == "1", seconds=60)

    # Two syncs later, of nothing and of a commit about something else, the share is as it was.
    newest = commit("2", note="nothing of the model")
    wait_for(lambda: flux.applied() == newest, seconds=60)
    found = namespace.get("inferenceservice", "bert-ner")
    assert found["spec"]["predictor"]["canaryTrafficPercent"] == 0
    assert version_and_revision(namespace, url)[0] == "1"
    assert found["status"]["components"]["predictor"]["latestReadyRevision"] == revision
