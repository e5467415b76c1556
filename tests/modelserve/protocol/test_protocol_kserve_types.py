"""KServe's own objects, as KServe's own server makes and encodes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kserve import InferInput, InferRequest, InferResponse
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.infer_type import RequestedOutput as KServeOutput
from kserve.protocol.rest.v2_datamodels import InferenceRequest as RestRequest
from kserve.protocol.rest.v2_datamodels import InferenceResponse as RestResponse

from modelserve.errors import InvalidInput
from modelserve.protocol.grpc import FIELDS, encode_response
from modelserve.protocol.kserve_types import from_kserve, to_kserve
from modelserve.protocol.messages import (
    DTYPES,
    InferenceRequest,
    InferenceResponse,
    RequestedOutput,
    Tensor,
    bytes_array,
)
from modelserve.protocol.rest import encode_response as encode_rest

EXAMPLES = settings(max_examples=60, deadline=None)

IN_JSON = tuple(datatype for datatype in DTYPES if datatype != "FP16")
"""What KServe's own server takes in JSON."""


def assert_same(decoded: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    assert [(t.name, t.datatype) for t in decoded] == [(t.name, t.datatype) for t in expected]
    for ours, theirs in zip(decoded, expected, strict=True):
        np.testing.assert_array_equal(ours.array, theirs.array, strict=True)


def rest_message(tensors: tuple[Tensor, ...], *, binary: bool) -> tuple[bytes, int | None]:
    """The body of a request, made of the body of a response: tensors have one form in both."""
    request = InferenceRequest("m", (), binary_output=binary)
    encoded = encode_rest(InferenceResponse("m", tensors, id="7"), request)
    return encoded.body.replace(b'"outputs":', b'"inputs" :', 1), encoded.header_length


@EXAMPLES
@given(data=st.data())
def test_request_over_rest_json(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors(IN_JSON, finite=True, text=True))
    body, _ = rest_message(expected, binary=False)
    request = from_kserve(
        InferRequest.from_inference_request(RestRequest.model_validate(orjson.loads(body)), "m")
    )
    assert_same(request.inputs, expected)
    assert (request.id, request.binary_output) == ("7", False)
    assert all(tensor.from_json for tensor in request.inputs)


@EXAMPLES
@given(data=st.data())
def test_request_over_rest_binary(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors(text=True))
    body, header_length = rest_message(expected, binary=True)
    assert_same(from_kserve(InferRequest.from_bytes(body, header_length, "m")).inputs, expected)


@EXAMPLES
@given(data=st.data(), raw=st.booleans())
def test_request_over_grpc(data: st.DataObject, tensors: Any, *, raw: bool) -> None:
    expected = data.draw(tensors(tuple(FIELDS)))
    response = encode_response(InferenceResponse("m", expected), request_was_raw=raw)
    inputs = [
        pb.ModelInferRequest.InferInputTensor.FromString(output.SerializeToString())
        for output in response.outputs
    ]
    message = pb.ModelInferRequest(model_name="m", inputs=inputs)
    message.raw_input_contents.extend(response.raw_output_contents)
    message.parameters["top_k"].int64_param = 3
    request = from_kserve(InferRequest.from_grpc(message))
    assert_same(request.inputs, expected)
    assert (request.parameters, request.binary_output) == ({"top_k": 3}, raw)
    assert not any(tensor.from_json for tensor in request.inputs)


def test_request_with_arrays() -> None:
    array = np.arange(4, dtype="f4").reshape(2, 2)
    request = from_kserve(InferRequest("m", [InferInput("x", [2, 2], "FP32", array)]))
    assert_same(request.inputs, (Tensor("x", "FP32", array),))


def test_all_fields_of_a_request() -> None:
    payload = InferRequest(
        "m",
        [InferInput("x", [1], "INT8", [1])],
        request_id="7",
        model_version="2",
        parameters={"top_k": 3, "binary_data_output": True},
        request_outputs=[KServeOutput("a"), KServeOutput("b", {"binary_data": False})],
    )
    request = from_kserve(payload)
    assert (request.model_name, request.model_version, request.id) == ("m", "2", "7")
    assert request.outputs == (RequestedOutput("a"), RequestedOutput("b", False))
    assert request.parameters == {"top_k": 3, "binary_data_output": True}
    assert request.binary_output


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (InferRequest("m", []), "the request has no inputs"),
        (
            InferRequest("m", [InferInput("x", [2], "FP32", [1])]),
            "the data of input 'x' does not have its shape",
        ),
        (InferRequest("m", [InferInput("x", [1], "FP32", ["1"])]), "input 'x' of FP32 holds other values"),
        (InferRequest("m", [InferInput("x", [1], "FP32")]), "the data of input 'x' is no list"),
        (InferRequest("m", [InferInput("x", [1], "FP32", [1])] * 2), "input 'x' is given twice"),
        (
            InferRequest("m", [InferInput("x", [1], "FP32", [1])], parameters={"p": []}),
            "parameter 'p' of the request is no single value",
        ),
    ],
)
def test_refusals(payload: InferRequest, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{sentence}"):
        from_kserve(payload)


@EXAMPLES
@given(data=st.data(), binary=st.booleans())
def test_response_over_rest(data: st.DataObject, tensors: Any, *, binary: bool) -> None:
    expected = data.draw(tensors(IN_JSON, finite=True, text=True))
    asked = tuple(RequestedOutput(t.name, data.draw(st.sampled_from([None, True, False]))) for t in expected)
    request = InferenceRequest("m", (), binary_output=binary, outputs=data.draw(st.sampled_from([(), asked])))
    body, header_length = to_kserve(InferenceResponse("m", expected, id="7"), request).to_rest()
    if header_length is None:
        # KServe's server validates so, and answers 500 where it fails.
        RestResponse.model_validate(body)
        read = InferResponse.from_rest(body)
    else:
        read = InferResponse.from_bytes(body, header_length)
    assert (read.id, read.model_name) == ("7", "m")
    for output, tensor in zip(read.outputs, expected, strict=True):
        theirs = output.as_numpy()
        if tensor.datatype == "BYTES":
            theirs = bytes_array([value.encode() for value in theirs.reshape(-1).tolist()], theirs.shape)
        np.testing.assert_array_equal(theirs, tensor.array, strict=True)


@EXAMPLES
@given(data=st.data(), raw=st.booleans())
def test_response_over_grpc(data: st.DataObject, tensors: Any, *, raw: bool) -> None:
    expected = data.draw(tensors())
    request = InferenceRequest("m", (), binary_output=raw)
    response = InferenceResponse("m", expected, model_version="2", parameters={"revision": "local"})
    message = to_kserve(response, request).to_grpc()
    has_fp16 = any(tensor.datatype == "FP16" for tensor in expected)
    assert bool(message.raw_output_contents) is (raw or has_fp16)
    read = InferResponse.from_grpc(message)
    for output, tensor in zip(read.outputs, expected, strict=True):
        np.testing.assert_array_equal(output.as_numpy(), tensor.array, strict=True)
    assert message.parameters["revision"].string_param == "local"


def test_a_response_without_an_id_gets_one() -> None:
    response = InferenceResponse("m", ())
    first, second = (to_kserve(response, InferenceRequest("m", ())).id for _ in range(2))
    assert first
    assert first != second
