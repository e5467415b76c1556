"""NVIDIA's gRPC client against the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

SENTENCE = "Angela Merkel met Barack Obama in Berlin."


@pytest.fixture
def client(server: Any) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.grpc_target) as client:
        yield client


def text_input(*texts: str) -> triton.InferInput:
    text = triton.InferInput("text", [len(texts)], "BYTES")
    text.set_data_from_numpy(np.array(texts, dtype=object))
    return text


def test_ner(client: triton.InferenceServerClient) -> None:
    answer = client.infer("bert-ner", [text_input(SENTENCE, "Nothing here.")], request_id="b-1")
    found = [json.loads(value) for value in answer.as_numpy("entities")]
    assert [(entity["type"], entity["text"]) for entity in found[0]] == [
        ("PER", "Angela Merkel"),
        ("PER", "Barack Obama"),
        ("LOC", "Berlin"),
    ]
    assert found[1] == []
    response = answer.get_response()
    assert response.id == "b-1"
    assert response.parameters["revision"].string_param == "local"


def test_min_score_parameter(client: triton.InferenceServerClient) -> None:
    answer = client.infer("bert-ner", [text_input(SENTENCE)], parameters={"min_score": 1.0})
    assert json.loads(answer.as_numpy("entities")[0]) == []


def test_resnet(client: triton.InferenceServerClient, cat_jpeg: bytes) -> None:
    image = triton.InferInput("image", [2], "BYTES")
    image.set_data_from_numpy(np.array([cat_jpeg, cat_jpeg], dtype=object))
    answer = client.infer("resnet-classifier", [image])
    assert answer.as_numpy("label").shape == (2, 5)
    assert answer.as_numpy("label")[0, 0] == b"cat"
    np.testing.assert_array_equal(answer.as_numpy("score")[0], answer.as_numpy("score")[1])


def test_metadata_and_health(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("bert-ner")
    assert client.get_server_metadata().name == "modelserve"
    metadata = client.get_model_metadata("bert-ner", "1")
    assert [(spec.name, spec.datatype, list(spec.shape)) for spec in metadata.inputs] == [
        ("text", "BYTES", [-1])
    ]


@pytest.mark.parametrize(
    ("model", "version", "status"),
    [
        ("nobody", "", "StatusCode.NOT_FOUND"),
        ("bert-ner", "7", "StatusCode.NOT_FOUND"),
        ("resnet-classifier", "", "StatusCode.INVALID_ARGUMENT"),
    ],
)
def test_errors(client: triton.InferenceServerClient, model: str, version: str, status: str) -> None:
    with pytest.raises(InferenceServerException) as raised:
        client.infer(model, [text_input(SENTENCE)], model_version=version)
    assert raised.value.status() == status
