"""Models from S3, and what is said when one cannot be served: the revision before goes on serving."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

SAMPLE = Path(__file__).parents[3] / "samples" / "bert-ner"
MODEL = "bert-ner"
STORAGE = "/spec/predictor/model/storageUri"
PATH = f"/v2/models/{MODEL}/infer"
BODY = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Merkel in Berlin"]}]}
SECRET = """
apiVersion: v1
kind: Secret
metadata:
  name: s3
  annotations:
    serving.kserve.io/s3-endpoint: s3.s3.svc.cluster.local
    serving.kserve.io/s3-usehttps: "0"
stringData: {AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret}
"""


@pytest.fixture(scope="module")
def bucket(gateway: Any) -> str:
    """A bucket with the sample model in it, whole and with a file missing."""
    asked = ["kubectl", "get", "service", "s3", "--namespace=s3", "--output=jsonpath={.spec.clusterIP}"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("the cluster has no service s3 in the namespace s3 that speaks S3")
    with httpx.Client(base_url=f"http://{found.stdout}", timeout=60) as client:
        name = f"models-{uuid.uuid4().hex[:8]}"
        client.put(f"/{name}").raise_for_status()
        for path in SAMPLE.iterdir():
            for folder in ("whole", "partial"):
                if folder == "whole" or path.name != "tokenizer.json":
                    client.put(f"/{name}/{folder}/{path.name}", content=path.read_bytes()).raise_for_status()
    return name


def operation(path: str, value: object, *, op: str = "replace") -> dict[str, object]:
    return {"op": op, "path": path, "value": value}


@pytest.fixture(scope="module")
def service(namespace: Any, bucket: str, from_storage: Callable[..., dict[str, Any]]) -> str:
    """The base's bert-ner, from S3."""
    namespace.kubectl("apply", "--filename=-", stdin=SECRET)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": MODEL}}
    kustomization = from_storage({MODEL: f"s3://{bucket}/whole"})
    kustomization["patches"].append({"patch": yaml.safe_dump({**account, "secrets": [{"name": "s3"}]})})
    namespace.apply(kustomization)
    url: str = namespace.predictor_url(MODEL)
    return url


def ask(namespace: Any, url: str) -> dict[str, Any]:
    answer = namespace.gateway.post(url, PATH, json=BODY)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_model_in_s3_is_served(service: str, namespace: Any) -> None:
    (entities,) = ask(namespace, service)["outputs"][0]["data"]
    assert [entity["text"] for entity in json.loads(entities)] == ["Merkel", "Berlin"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (operation(STORAGE, "s3://BUCKET/absent"), "/absent"),
        (operation(STORAGE, "s3://BUCKET/partial"), "tokenizer.json"),
        (
            operation("/spec/predictor/model/args", [f"--model_digest=sha256:{'0' * 64}"], op="add"),
            "have the digest sha256:",
        ),
    ],
    ids=["storage away", "file missing", "other weights"],
)
def test_a_model_that_cannot_be_served_is_told_and_the_old_one_goes_on(
    service: str, namespace: Any, bucket: str, wait_for: Any, change: dict[str, Any], sentence: str
) -> None:
    old = ask(namespace, service)["parameters"]["revision"]
    before = namespace.get("inferenceservice", MODEL)["spec"]
    try:
        with namespace.load(service, PATH, BODY, callers=1) as load:
            namespace.patch(
                "inferenceservice", MODEL, json.loads(json.dumps(change).replace("BUCKET", bucket))
            )

            def failure() -> bool:
                status = namespace.get("inferenceservice", MODEL)["status"]
                return sentence in json.dumps([status["conditions"], status.get("modelStatus")])

            wait_for(failure, seconds=240, said=lambda: namespace.story("inferenceservice", MODEL))
            new = namespace.get("inferenceservice", MODEL)["status"]["components"]["predictor"][
                "latestCreatedRevision"
            ]
            assert new != old
            wait_for(lambda: warnings(namespace, new), seconds=120)
        assert load.failures == {}
        assert load.revisions.keys() == {old}
    finally:
        namespace.patch("inferenceservice", MODEL, {"op": "replace", "path": "/spec", "value": before})
    namespace.wait_ready("inferenceservice", MODEL)
    ask(namespace, service)


def warnings(namespace: Any, revision: str) -> list[str]:
    """What Kubernetes warns of about a revision's pods."""
    return [
        event["message"]
        for event in namespace.list("events")
        if event["type"] == "Warning" and event["involvedObject"]["name"].startswith(revision)
    ]
