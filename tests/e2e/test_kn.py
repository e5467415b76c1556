"""The same images as plain Knative Services, whose traffic ``kn`` sets; and whose it cannot."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

PATH = "/v1/models/bert-ner:predict"
BODY = {"instances": ["Merkel in Berlin"]}


def kn(namespace: Any, *arguments: str) -> str:
    done = subprocess.run(
        ["kn", "--namespace", namespace.name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def revision_of(namespace: Any, url: str) -> str:
    answer = namespace.gateway.post(url, PATH, json=BODY)
    assert answer.status_code == 200, answer.text
    revision: str = answer.headers["x-modelserve-revision"]
    return revision


@pytest.fixture(scope="module")
def service(namespace: Any) -> str:
    """The Knative form of one model."""
    other = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "resnet-classifier"},
        "$patch": "delete",
    }
    namespace.apply({"resources": ["knative/local"], "patches": [{"patch": json.dumps(other)}]})
    found = namespace.wait_ready("ksvc", "bert-ner")
    url: str = found["status"]["url"]
    return url


def test_traffic_is_as_kn_says_and_stays(service: str, namespace: Any, wait_for: Any) -> None:
    old = revision_of(namespace, service)
    kn(
        namespace,
        "service",
        "update",
        "bert-ner",
        "--arg=--model_name=bert-ner",
        "--arg=--model_dir=/mnt/models",
        "--arg=--model_version=2",
    )
    new = namespace.wait_ready("ksvc", "bert-ner")["status"]["latestReadyRevisionName"]
    assert new != old

    kn(namespace, "service", "update", "bert-ner", f"--traffic={old}=70", f"--traffic={new}=30")
    namespace.wait_ready("ksvc", "bert-ner")
    wait_for(lambda: {revision_of(namespace, service) for _ in range(20)} == {old, new}, seconds=60)
    answered = [revision_of(namespace, service) for _ in range(200)]
    # 60 of 200 are expected, with a standard deviation of 6.5.
    assert 60 - 26 <= answered.count(new) <= 60 + 26

    listed = kn(namespace, "revision", "list", "--service=bert-ner")
    assert any(old in line and "70%" in line for line in listed.splitlines()), listed
    assert any(new in line and "30%" in line for line in listed.splitlines()), listed

    # Applying the manifests again changes the model back, and leaves the traffic as kn set it.
    kn(namespace, "service", "update", "bert-ner", f"--traffic={old}=100", f"--traffic={new}=0")
    namespace.wait_ready("ksvc", "bert-ner")
    wait_for(lambda: {revision_of(namespace, service) for _ in range(20)} == {old}, seconds=60)


def test_kserve_takes_back_what_kn_set_on_its_own(
    namespace: Any, sample_predictor: Callable[[str], dict[str, Any]], wait_for: Any
) -> None:
    namespace.kubectl("delete", "ksvc", "bert-ner", "--wait")
    namespace.apply(sample_predictor("bert-ner"))
    namespace.wait_ready("inferenceservice", "bert-ner")
    name = "bert-ner-predictor"
    (first,) = namespace.list("revisions", f"--selector=serving.knative.dev/service={name}")
    kn(namespace, "service", "update", name, f"--traffic={first['metadata']['name']}=100")

    def is_kserves() -> bool:
        targets = namespace.get("ksvc", name)["spec"]["traffic"]
        return [target.get("latestRevision") for target in targets] == [True]

    wait_for(is_kserves, seconds=30)
