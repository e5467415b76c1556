"""NVIDIA's HTTP client against the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

SENTENCE = "Angela Merkel met Barack Obama in Berlin."
NAMES = [("PER", "Angela Merkel"), ("PER", "Barack Obama"), ("LOC", "Berlin")]


@pytest.fixture
def client(server: Any) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.url.removeprefix("http://"), network_timeout=60) as client:
        yield client


def names(entities: bytes) -> list[tuple[str, str]]:
    return [(entity["type"], entity["text"]) for entity in json.loads(entities)]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_ner(
    client: triton.InferenceServerClient, *, binary_in: bool, binary_out: bool, compression: str | None
) -> None:
    text = triton.InferInput("text", [2], "BYTES")
    text.set_data_from_numpy(np.array([SENTENCE, "Nothing here."], dtype=object), binary_data=binary_in)
    answer = client.infer(
        "bert-ner",
        [text],
        outputs=[triton.InferRequestedOutput("entities", binary_data=binary_out)],
        request_id="a-1",
        request_compression_algorithm=compression,
    )
    entities = answer.as_numpy("entities")
    assert entities.shape == (2,)
    found = [value.encode() if isinstance(value, str) else value for value in entities]
    assert names(found[0]) == NAMES
    assert json.loads(found[1]) == []
    response = answer.get_response()
    assert response["id"] == "a-1"
    assert response["parameters"]["revision"] == "local"
    assert response["parameters"]["model_digest"].startswith("sha256:")


@pytest.mark.parametrize("binary_out", [True, False])
def test_resnet_image(client: triton.InferenceServerClient, cat_jpeg: bytes, *, binary_out: bool) -> None:
    image = triton.InferInput("image", [1], "BYTES")
    image.set_data_from_numpy(np.array([cat_jpeg], dtype=object), binary_data=True)
    wanted = ["label", "score", "probability", "embedding"]
    answer = client.infer(
        "resnet-classifier",
        [image],
        outputs=[triton.InferRequestedOutput(name, binary_data=binary_out) for name in wanted],
        parameters={"top_k": 3},
    )
    labels, scores = answer.as_numpy("label"), answer.as_numpy("score")
    assert labels.shape == scores.shape == (1, 3)
    assert labels[0, 0] in (b"cat", "cat")
    assert scores.dtype == np.float32
    assert list(scores[0]) == sorted(scores[0], reverse=True)
    assert answer.as_numpy("probability").shape == (1, 10)
    assert answer.as_numpy("probability").sum() == pytest.approx(1, abs=1e-5)
    assert answer.as_numpy("embedding").shape == (1, 512)


@pytest.mark.parametrize("binary_in", [True, False])
def test_resnet_pixels(client: triton.InferenceServerClient, *, binary_in: bool) -> None:
    values = np.random.default_rng(0).normal(size=(3, 3, 32, 32)).astype(np.float32)
    pixels = triton.InferInput("pixels", list(values.shape), "FP32")
    pixels.set_data_from_numpy(values, binary_data=binary_in)
    answer = client.infer("resnet-classifier", [pixels])
    assert answer.as_numpy("label").shape == (3, 5)
    assert {output["name"] for output in answer.get_response()["outputs"]} == {"label", "score"}


def test_metadata_and_health(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("bert-ner")
    assert client.is_model_ready("bert-ner", "1")
    assert client.get_server_metadata()["name"] == "modelserve"
    metadata = client.get_model_metadata("resnet-classifier")
    assert {spec["name"]: (spec["datatype"], spec["shape"]) for spec in metadata["inputs"]} == {
        "image": ("BYTES", [-1]),
        "pixels": ("FP32", [-1, 3, -1, -1]),
    }
    assert metadata["versions"] == ["1"]


def test_statistics_count_calls(client: triton.InferenceServerClient) -> None:
    def successes() -> int:
        stats = client.get_inference_statistics("bert-ner")["model_stats"][0]
        return int(stats["inference_stats"]["success"]["count"])

    before = successes()
    text = triton.InferInput("text", [1], "BYTES")
    text.set_data_from_numpy(np.array([SENTENCE], dtype=object))
    client.infer("bert-ner", [text])
    assert successes() == before + 1


def test_repository(client: triton.InferenceServerClient, start_server: Any) -> None:
    index = {model["name"]: model["state"] for model in client.get_model_repository_index()}
    assert index == {"bert-ner": "READY", "resnet-classifier": "READY"}


def test_error_is_the_servers_sentence(client: triton.InferenceServerClient) -> None:
    text = triton.InferInput("words", [1], "BYTES")
    text.set_data_from_numpy(np.array([SENTENCE], dtype=object))
    with pytest.raises(InferenceServerException, match="words"):
        client.infer("bert-ner", [text])
