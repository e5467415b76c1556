"""``kubectl apply -k inferenceservices/overlays/local``, and every way to call what it deploys."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from confinement import assert_confined

SENTENCE = "Angela Merkel met Barack Obama in Berlin."
ENTITIES = [("PER", "Angela Merkel"), ("PER", "Barack Obama"), ("LOC", "Berlin")]
NAMES = ("bert-ner", "resnet-classifier")


@pytest.fixture(scope="module")
def overlay(namespace: Any) -> dict[str, dict[str, Any]]:
    """Both InferenceServices, ready, with transformers and explainers."""
    namespace.apply({"resources": ["overlays/local"]})
    return {name: namespace.wait_ready("inferenceservice", name, seconds=420) for name in NAMES}


def url_of(service: dict[str, Any], component: str) -> str:
    """A component's address as KServe's status has it; ``service`` is the way in."""
    status = service["status"]
    found: str = status["url"] if component == "service" else status["components"][component]["url"]
    return found


def read(entities: bytes | str) -> list[tuple[str, str]]:
    return [(entity["type"], entity["text"]) for entity in json.loads(entities)]


@pytest.mark.parametrize("component", ["service", "transformer", "predictor"])
def test_v1_reads_a_text(overlay: dict[str, Any], namespace: Any, component: str) -> None:
    url = url_of(overlay["bert-ner"], component)
    answer = namespace.gateway.post(url, "/v1/models/bert-ner:predict", json={"instances": [SENTENCE]})
    assert answer.status_code == 200, answer.text
    (entities,) = answer.json()["predictions"]
    assert [(entity["type"], entity["text"]) for entity in entities] == ENTITIES
    assert "-transformer-" in answer.headers["x-modelserve-revision"] or component == "predictor"


@pytest.mark.parametrize("component", ["service", "predictor"])
@pytest.mark.parametrize("is_binary", [False, True], ids=["json", "binary"])
def test_v2_rest_reads_a_text(
    overlay: dict[str, Any], namespace: Any, component: str, is_binary: bool
) -> None:
    url = url_of(overlay["bert-ner"], component)
    tensor = tritonclient.http.InferInput("text", [2], "BYTES")
    tensor.set_data_from_numpy(np.array([SENTENCE, "the rain"], dtype=object), binary_data=is_binary)
    wanted = tritonclient.http.InferRequestedOutput("entities", binary_data=is_binary)
    gateway = f"{namespace.gateway.host}:{namespace.gateway.port}"
    with tritonclient.http.InferenceServerClient(gateway) as client:
        answer = client.infer("bert-ner", [tensor], outputs=[wanted], headers=namespace.gateway.headers(url))
    first, second = answer.as_numpy("entities")
    assert read(first) == ENTITIES
    assert read(second) == []


def test_v1_and_v2_name_the_animal_through_the_transformer(
    overlay: dict[str, Any], namespace: Any, cat_jpeg: bytes
) -> None:
    url = url_of(overlay["resnet-classifier"], "service")
    encoded = base64.b64encode(cat_jpeg).decode()
    answer = namespace.gateway.post(
        url, "/v1/models/resnet-classifier:predict", json={"instances": [{"b64": encoded}]}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0]["labels"][0] == "cat"

    tensor = tritonclient.http.InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([cat_jpeg], dtype=object))
    gateway = f"{namespace.gateway.host}:{namespace.gateway.port}"
    with tritonclient.http.InferenceServerClient(gateway) as client:
        found = client.infer("resnet-classifier", [tensor], headers=namespace.gateway.headers(url))
    assert found.as_numpy("label")[0][0] == b"cat"


def test_v2_grpc_names_the_animal_at_the_predictor(
    overlay: dict[str, Any], namespace: Any, cat_jpeg: bytes
) -> None:
    url = url_of(overlay["resnet-classifier"], "predictor")
    found = grpc_infer(namespace, url, "resnet-classifier", "image", cat_jpeg)
    assert found.as_numpy("label")[0][0] == b"cat"
    assert found.get_response().parameters["revision"].string_param.startswith("resnet-classifier-predictor-")


def grpc_infer(namespace: Any, url: str, model: str, name: str, item: bytes) -> Any:
    """One call over gRPC through the gateway, which knows the service by the authority."""
    tensor = tritonclient.grpc.InferInput(name, [1], "BYTES")
    tensor.set_data_from_numpy(np.array([item], dtype=object))
    gateway = f"{namespace.gateway.host}:{namespace.gateway.port}"
    authority = [("grpc.default_authority", urlsplit(url).netloc)]
    with tritonclient.grpc.InferenceServerClient(gateway, channel_args=authority) as client:
        return client.infer(model, [tensor])


def test_a_document_is_read_through_the_transformer(overlay: dict[str, Any], namespace: Any) -> None:
    document = "\n".join(f"{number}. {SENTENCE}" for number in range(40))
    url = url_of(overlay["bert-ner"], "service")
    answer = namespace.gateway.post(url, "/v1/models/bert-ner:predict", json={"instances": [document]})
    assert answer.status_code == 200, answer.text
    (entities,) = answer.json()["predictions"]
    assert len(entities) == 40 * len(ENTITIES)
    assert all(document[entity["start"] : entity["end"]] == entity["text"] for entity in entities)


def test_explain_says_which_words_count(overlay: dict[str, Any], namespace: Any) -> None:
    url = url_of(overlay["bert-ner"], "explainer")
    answer = namespace.gateway.post(
        url, "/v1/models/bert-ner:explain", json={"instances": ["Berlin is cold."]}, timeout=120
    )
    assert answer.status_code == 200, answer.text
    (explanation,) = answer.json()["explanations"]
    assert explanation


def test_explain_says_which_regions_count(overlay: dict[str, Any], namespace: Any, cat_jpeg: bytes) -> None:
    url = url_of(overlay["resnet-classifier"], "explainer")
    encoded = base64.b64encode(cat_jpeg).decode()
    answer = namespace.gateway.post(
        url, "/v1/models/resnet-classifier:explain", json={"instances": [{"b64": encoded}]}, timeout=120
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["explanations"]


def test_the_pods_run_without_privileges_and_stay(overlay: dict[str, Any], namespace: Any) -> None:
    for pod in namespace.list("pods"):
        restarts = {one["name"]: one["restartCount"] for one in pod["status"]["containerStatuses"]}
        assert not any(restarts.values()), (pod["metadata"]["name"], restarts)
        for container in pod["spec"]["containers"]:
            context = container["securityContext"]
            assert context["runAsNonRoot"] is True, container["name"]
            assert context["readOnlyRootFilesystem"] is True, container["name"]
            assert context["allowPrivilegeEscalation"] is False, container["name"]
    assert_confined(namespace, "kserve-container")


def test_both_flavours_of_protocol_answer_through_a_transformer_over_grpc(
    overlay: dict[str, Any], namespace: Any
) -> None:
    """A Knative Service has one port: for gRPC from outside, the transformer's is changed to h2c."""
    probe = {"grpc": {"port": 8081}}
    changes = {
        "ports": [{"name": "h2c", "containerPort": 8081, "protocol": "TCP"}],
        "readinessProbe": probe,
        "livenessProbe": probe,
    }
    container = "/spec/transformer/containers/0"
    namespace.patch(
        "inferenceservice",
        "bert-ner",
        *({"op": "replace", "path": f"{container}/{key}", "value": value} for key, value in changes.items()),
    )
    service = namespace.wait_ready("inferenceservice", "bert-ner")
    found = grpc_infer(namespace, url_of(service, "service"), "bert-ner", "text", SENTENCE.encode())
    assert read(found.as_numpy("entities")[0]) == ENTITIES
