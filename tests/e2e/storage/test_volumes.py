"""Models from a claim and from an image: what a pod mounts, and needs no network for when it starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

MODEL = "bert-ner"
PATH = f"/v2/models/{MODEL}/infer"
BODY = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Merkel in Berlin"]}]}
MODEL_IMAGE = "dev.local/bert-ner-model:dev"

FromStorage = Callable[..., dict[str, Any]]


def names_in(namespace: Any) -> list[str]:
    url = namespace.predictor_url(MODEL)
    answer = namespace.gateway.post(url, PATH, json=BODY)
    assert answer.status_code == 200, answer.text
    (entities,) = answer.json()["outputs"][0]["data"]
    return [entity["text"] for entity in json.loads(entities)]


def pod_of(namespace: Any) -> dict[str, Any]:
    pods = namespace.list("pods", f"--selector=serving.kserve.io/inferenceservice={MODEL}")
    found: dict[str, Any]
    (found,) = (pod for pod in pods if "deletionTimestamp" not in pod["metadata"])
    return found


def test_a_model_on_a_claim_is_served(namespace: Any, claim: str, from_storage: FromStorage) -> None:
    namespace.apply(from_storage({MODEL: f"pvc://{claim}/{MODEL}"}))
    assert names_in(namespace) == ["Merkel", "Berlin"]
    assert not pod_of(namespace)["spec"].get("initContainers"), "it is mounted, and not copied"


def test_a_model_in_an_image_is_served(namespace: Any, from_storage: FromStorage) -> None:
    skip_without_modelcars(namespace)
    namespace.kubectl("delete", "inferenceservice", "--all")
    namespace.apply(from_storage({MODEL: f"oci://{MODEL_IMAGE}"}, components=("components/model-image",)))
    assert names_in(namespace) == ["Merkel", "Berlin"]
    statuses = {one["name"]: one["restartCount"] for one in pod_of(namespace)["status"]["containerStatuses"]}
    assert statuses["modelcar"] == statuses["kserve-container"] == 0, "the server waits for the folder"


def skip_without_modelcars(namespace: Any) -> None:
    """KServe can be configured so that no model image ever starts."""
    settings = json.loads(
        namespace.kubectl(
            *("get", "configmap", "inferenceservice-config", "--namespace=kserve"),
            "--output=jsonpath={.data.storageInitializer}",
        )
    )
    if not settings.get("enableModelcar") or settings.get("memoryModelcar") == "1Mi":
        pytest.skip("KServe runs no model images here: enableModelcar, or memoryModelcar of 1Mi")
