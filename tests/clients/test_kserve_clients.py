"""KServe's own clients against the real server."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

SENTENCE = "Angela Merkel met Barack Obama in Berlin."


def text_request(*, binary: bool) -> InferRequest:
    text = InferInput("text", [1], "BYTES")
    text.set_data_from_numpy(np.array([SENTENCE], dtype=object), binary_data=binary)
    return InferRequest(model_name="bert-ner", infer_inputs=[text])


def entity_types(value: Any) -> list[str]:
    return [entity["type"] for entity in json.loads(value)]


@pytest.mark.parametrize("binary", [True, False])
async def test_rest_v2(server: Any, *, binary: bool) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    try:
        assert await client.is_server_ready(server.url)
        assert await client.is_model_ready(server.url, "bert-ner")
        answer = await client.infer(server.url, text_request(binary=binary), model_name="bert-ner")
        assert entity_types(answer.outputs[0].as_numpy()[0]) == ["PER", "PER", "LOC"]
    finally:
        await client.close()


async def test_rest_v1(server: Any) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    try:
        answer = await client.infer(server.url, {"instances": [SENTENCE]}, model_name="bert-ner")
        assert [entity["text"] for entity in answer["predictions"][0]] == [
            "Angela Merkel",
            "Barack Obama",
            "Berlin",
        ]
    finally:
        await client.close()


async def test_grpc_raw(server: Any, cat_jpeg: bytes) -> None:
    client = InferenceGRPCClient(server.grpc_target)
    try:
        assert await client.is_server_ready()
        assert await client.is_model_ready("resnet-classifier")
        image = InferInput("image", [1], "BYTES")
        image.set_data_from_numpy(np.array([cat_jpeg], dtype=object), binary_data=True)
        answer = await client.infer(InferRequest(model_name="resnet-classifier", infer_inputs=[image]))
        label = next(output for output in answer.outputs if output.name == "label").as_numpy()
        assert label.shape == (1, 5)
        assert label[0, 0] == b"cat"
    finally:
        await client.close()


async def test_grpc_typed(server: Any) -> None:
    client = InferenceGRPCClient(server.grpc_target)
    try:
        answer = await client.infer(text_request(binary=False))
        assert entity_types(answer.outputs[0].as_numpy()[0]) == ["PER", "PER", "LOC"]
    finally:
        await client.close()
