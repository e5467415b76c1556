"""Real servers under calls that nobody would make: whatever comes, the answer is one of the contract's.

`make fuzz FUZZ_SECONDS=600` does each of these for ten minutes, with other calls each time; a plain run of
the tests for a few seconds. Hypothesis prints a call that breaks something as small as it could be made.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from programs import running
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from modelserve.protocol.client import encode_rest_request
from modelserve.protocol.messages import DTYPES, InferenceRequest, Tensor

SECONDS = float(os.environ.get("FUZZ_SECONDS", "5"))
EXAMPLES = settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
MODELS = ("bert-ner", "resnet-classifier")
ANSWERS = {200, 400, 404, 413, 429, 503, 504}
CODES = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
}


def fuzz(once: Callable[[], None]) -> None:
    """Do it again and again, each time with other examples, until the time is up."""
    end = time.monotonic() + SECONDS
    while True:
        once()
        if time.monotonic() > end:
            return


def is_well(server: Any) -> bool:
    """Whether it answers as it did before."""
    answer = server.post("/v1/models/bert-ner:predict", json={"instances": ["Ada Lovelace"]})
    return answer.status_code == 200 and "Ada Lovelace" in answer.text


def check(answer: httpx.Response) -> None:
    assert answer.status_code in ANSWERS, answer.text
    if answer.status_code != 200:
        said = answer.json()
        assert set(said) == {"error"}
        assert "Traceback" not in said["error"]
        assert "\n" not in said["error"]


def _body(data: st.DataObject, value: bytes) -> bytes:
    """Bytes with some of them others, gone, doubled or swollen."""
    changed = bytearray(value)
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, len(changed)))
        kind = data.draw(st.sampled_from(["flip", "cut", "insert", "repeat"]))
        if kind == "flip" and place < len(changed):
            changed[place] ^= data.draw(st.integers(1, 255))
        elif kind == "cut":
            del changed[place : place + data.draw(st.integers(1, 64))]
        elif kind == "insert":
            changed[place:place] = data.draw(st.binary(min_size=1, max_size=16))
        else:
            changed[place:place] = changed[max(0, place - 16) : place]
    return bytes(changed)


@pytest.fixture(scope="module")
def valid(cat_jpeg: bytes) -> dict[str, tuple[bytes, int]]:
    """Binary calls that are answered, by model: the body, and the length of its JSON."""
    pixels = Tensor("pixels", "FP32", np.zeros((1, 3, 32, 32), np.float32))
    return {
        "bert-ner": _encoded(_bytes("text", b"Ada in Rome", "Zürich".encode())),
        "resnet-classifier": _encoded(_bytes("image", cat_jpeg)),
        "pixels": _encoded(pixels),
    }


def _bytes(name: str, *values: bytes) -> Tensor:
    array = np.empty(len(values), object)
    array[:] = values
    return Tensor(name, "BYTES", array)


def _encoded(tensor: Tensor) -> tuple[bytes, int]:
    return encode_rest_request(InferenceRequest("m", (tensor,)))


def test_what_is_called_valid_is_answered(server: Any, valid: dict[str, tuple[bytes, int]]) -> None:
    for name, (body, length) in valid.items():
        model = name if name in MODELS else "resnet-classifier"
        headers = {"Inference-Header-Content-Length": str(length)}
        answer = server.post(f"/v2/models/{model}/infer", content=body, headers=headers)
        assert answer.status_code == 200, answer.text


def test_binary_bodies(server: Any, valid: dict[str, tuple[bytes, int]]) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:

        @EXAMPLES
        @given(data=st.data(), name=st.sampled_from(sorted(valid)), off=st.sampled_from([0, 0, 0, 1, -1, 99]))
        def call(data: st.DataObject, name: str, off: int) -> None:
            body, length = valid[name]
            model = data.draw(st.sampled_from(MODELS)) if name not in MODELS else name
            headers = {"Inference-Header-Content-Length": str(max(0, length + off))}
            check(client.post(f"/v2/models/{model}/infer", content=_body(data, body), headers=headers))

        fuzz(call)
    assert is_well(server)


def test_images(server: Any, cat_jpeg: bytes) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:

        @EXAMPLES
        @given(data=st.data())
        def call(data: st.DataObject) -> None:
            body, length = _encoded(_bytes("image", _body(data, cat_jpeg)))
            headers = {"Inference-Header-Content-Length": str(length)}
            check(client.post("/v2/models/resnet-classifier/infer", content=body, headers=headers))

        fuzz(call)
    assert is_well(server)


def test_grpc(server: Any) -> None:
    with grpc.insecure_channel(server.grpc_target) as channel:
        infer = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=pb.ModelInferRequest.SerializeToString,
            response_deserializer=pb.ModelInferResponse.FromString,
        )
        tensors = st.builds(
            pb.ModelInferRequest.InferInputTensor,
            name=st.sampled_from(["text", "image", "pixels", "x"]) | st.text(max_size=3),
            datatype=st.sampled_from([*DTYPES, "BYTES", "x", ""]),
            shape=st.lists(st.integers(-1, 4) | st.integers(-(2**63), 2**63 - 1), max_size=4),
            contents=st.builds(
                pb.InferTensorContents,
                bytes_contents=st.lists(st.binary(max_size=8), max_size=3),
                fp32_contents=st.lists(st.floats(width=32), max_size=3),
            ),
        )

        @EXAMPLES
        @given(
            request=st.builds(
                pb.ModelInferRequest,
                model_name=st.sampled_from([*MODELS, "nobody"]),
                model_version=st.sampled_from(["", "1", "2"]),
                inputs=st.lists(tensors, max_size=2),
                raw_input_contents=st.lists(st.binary(max_size=32), max_size=3),
            )
        )
        def call(request: Any) -> None:
            answer = infer.future(request, timeout=60)
            assert answer.code() in CODES, answer.details()
            assert "Traceback" not in (answer.details() or "")

        fuzz(call)
    assert is_well(server)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = f"--store=sqlite:///{tmp_path_factory.mktemp('detector')}/drift.db"
    ready = r"ready: events by POST on port (\d+)"
    with running("drift_detector", "--host=127.0.0.1", "--http_port=0", store, ready=ready) as program:
        yield program.url


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = f"--store_url=sqlite:///{tmp_path_factory.mktemp('pipelines')}/runs.db"
    command = ["modelserve.cli", "pipeline", "serve", "examples", "--wait_seconds=0.1", store]
    ready = r"Ready: .* on port (\d+)"
    with running(*command, "--http_host=127.0.0.1", "--http_port=0", ready=ready) as program:
        yield program.url


def test_events(detector: str) -> None:
    event = {
        "ce-specversion": "1.0",
        "ce-id": "a",
        "ce-source": "/x",
        "ce-type": "org.kubeflow.serving.inference.request",
        "ce-inferenceservicename": "bert-ner",
        "ce-namespace": "n",
        "ce-component": "predictor",
        "content-type": "application/json",
    }
    body = orjson.dumps({"instances": ["Ada"]})
    structured = orjson.dumps(
        {**{name.removeprefix("ce-"): value for name, value in event.items()}, "data": {}}
    )
    header = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8)
    kinds = ["application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "x"]
    with httpx.Client(base_url=detector, timeout=60) as client:

        @EXAMPLES
        @given(
            data=st.data(),
            changes=st.dictionaries(
                st.sampled_from(sorted(event)), header | st.sampled_from(kinds), max_size=3
            ),
            sent=st.sampled_from([body, structured, b"[" + structured + b"]"]),
        )
        def call(data: st.DataObject, changes: dict[str, str], sent: bytes) -> None:
            answer = client.post("/", content=_body(data, sent), headers={**event, **changes})
            assert answer.status_code in {202, 400, 413, 503}, answer.text

        fuzz(call)
        assert client.get("/health/ready").status_code == 200


def test_rest_by_its_description(server: Any) -> None:
    _by_description(server.url, {"model_name": st.sampled_from([*MODELS, "nobody"])}, {500, 501, 502})
    assert is_well(server)


def test_pipelines_by_their_description(pipelines: str) -> None:
    """Runs that nobody can do, as their models are away, and requests that are none."""
    _by_description(pipelines, {}, {500, 501})
    assert httpx.get(f"{pipelines}/healthz").status_code == 200


def _by_description(url: str, names: dict[str, st.SearchStrategy[str]], faults: set[int]) -> None:
    """All operations of the OpenAPI document in turn; unloading would be missed by other tests."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [one.ok() for one in schema.get_all_operations() if not one.ok().label.endswith("/unload")]
    assert operations
    cases = st.one_of([operation.as_strategy() for operation in operations])

    @EXAMPLES
    @given(case=cases, data=st.data())
    def call(case: Any, data: st.DataObject) -> None:
        for name, values in names.items():
            if name in case.path_parameters:
                case.path_parameters[name] = data.draw(values)
        answer = case.call(base_url=url, timeout=60)
        case.validate_response(answer, checks=[status_code_conformance, response_schema_conformance])
        assert answer.status_code not in faults

    fuzz(call)
