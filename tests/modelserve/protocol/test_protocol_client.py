"""The caller's codec with this package's server side, and KServe's own classes, as the other side."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kserve import InferOutput, InferRequest, InferResponse
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from modelserve.errors import InvalidInput, PredictorFailed
from modelserve.protocol import grpc as server_grpc
from modelserve.protocol import rest as server_rest
from modelserve.protocol.client import (
    decode_grpc_response,
    decode_rest_response,
    encode_grpc_request,
    encode_rest_request,
)
from modelserve.protocol.grpc import FIELDS
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, RequestedOutput, Tensor

EXAMPLES = settings(max_examples=40, deadline=None)

INT64 = st.integers(-(2**63), 2**63 - 1)
PARAMETERS = st.dictionaries(
    st.text(max_size=8).filter(lambda name: not name.startswith("binary_data")),
    st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    max_size=4,
)
OUTPUTS = st.lists(st.text(max_size=8), max_size=3, unique=True)
IDENTIFIERS = st.none() | st.text(min_size=1, max_size=8)


def assert_same(decoded: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    assert [(t.name, t.datatype) for t in decoded] == [(t.name, t.datatype) for t in expected]
    for ours, theirs in zip(decoded, expected, strict=True):
        np.testing.assert_array_equal(ours.array, theirs.array, strict=True)


@st.composite
def requests(draw: st.DrawFn, tensors: Any) -> InferenceRequest:
    return InferenceRequest(
        "m",
        draw(tensors()),
        model_version=draw(st.none() | st.just("2")),
        id=draw(IDENTIFIERS),
        outputs=tuple(map(RequestedOutput, draw(OUTPUTS))),
        parameters=draw(PARAMETERS),
    )


@st.composite
def responses(draw: st.DrawFn, tensors: st.SearchStrategy[tuple[Tensor, ...]]) -> InferenceResponse:
    return InferenceResponse(
        "m",
        draw(tensors),
        model_version=draw(st.none() | st.just("2")),
        id=draw(IDENTIFIERS),
        parameters=draw(PARAMETERS),
    )


def assert_same_answer(decoded: InferenceResponse, expected: InferenceResponse) -> None:
    assert_same(decoded.outputs, expected.outputs)
    for field in ("model_name", "model_version", "id", "parameters"):
        assert getattr(decoded, field) == getattr(expected, field), field


# Requests


@EXAMPLES
@given(data=st.data())
def test_the_server_reads_a_rest_request_as_it_was(data: st.DataObject, tensors: Any) -> None:
    sent = data.draw(requests(tensors))
    body, header_length = encode_rest_request(sent)
    read = server_rest.decode_request(
        body, model_name="m", model_version=sent.model_version, header_length=header_length
    )
    assert_same(read.inputs, sent.inputs)
    assert (read.id, read.outputs) == (sent.id, sent.outputs)
    assert read.parameters == {**sent.parameters, "binary_data_output": True}
    assert read.binary_output


@EXAMPLES
@given(data=st.data())
def test_the_server_reads_a_grpc_request_as_it_was(data: st.DataObject, tensors: Any) -> None:
    sent = data.draw(requests(tensors))
    message = pb.ModelInferRequest.FromString(encode_grpc_request(sent))
    assert len(message.raw_input_contents) == len(sent.inputs)
    read = server_grpc.decode_request(message)
    assert_same(read.inputs, sent.inputs)
    for field in ("model_name", "model_version", "id", "outputs", "parameters"):
        assert getattr(read, field) == getattr(sent, field), field


@EXAMPLES
@given(data=st.data())
def test_kserve_reads_both_requests(data: st.DataObject, tensors: Any) -> None:
    datatypes = [name for name in FIELDS if name != "BYTES"]  # KServe's reader wants text in these
    sent = InferenceRequest("m", data.draw(tensors(datatypes)), id="7", parameters={"top_k": 3})
    by_rest = InferRequest.from_bytes(*encode_rest_request(sent), "m")
    by_grpc = InferRequest.from_grpc(pb.ModelInferRequest.FromString(encode_grpc_request(sent)))
    for read in (by_rest, by_grpc):
        assert read.id == "7"
        for ours, theirs in zip(sent.inputs, read.inputs, strict=True):
            np.testing.assert_array_equal(theirs.as_numpy(), ours.array, strict=True)


def test_no_field_is_written_that_the_request_does_not_have() -> None:
    tensor = Tensor("x", "UINT8", np.zeros(0, "u1"))
    body, header_length = encode_rest_request(InferenceRequest("m", (tensor,)))
    assert orjson.loads(body[:header_length]) == {
        "inputs": [{"name": "x", "datatype": "UINT8", "shape": [0], "parameters": {"binary_data_size": 0}}],
        "parameters": {"binary_data_output": True},
    }
    message = pb.ModelInferRequest.FromString(encode_grpc_request(InferenceRequest("m", (tensor,))))
    assert {field.name for field, _ in message.ListFields()} == {"model_name", "inputs", "raw_input_contents"}


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, -(2**63) - 1, 10**30])
def test_a_parameter_that_grpc_has_no_room_for_is_the_callers_mistake(value: int) -> None:
    request = InferenceRequest("m", (Tensor("x", "UINT8", np.zeros(1, "u1")),), parameters={"top_k": value})
    with pytest.raises(InvalidInput, match=r"'top_k'.*64 bits"):
        encode_grpc_request(request)


# Answers


@EXAMPLES
@given(data=st.data())
def test_a_rest_answer_of_the_server_is_read_as_it_was(data: st.DataObject, tensors: Any) -> None:
    sent = data.draw(responses(tensors()))
    asked = InferenceRequest("m", (), binary_output=True)
    encoded = server_rest.encode_response(sent, asked)
    assert encoded.header_length is not None
    assert_same_answer(decode_rest_response(encoded.body, encoded.header_length), sent)


@EXAMPLES
@given(data=st.data())
def test_a_rest_answer_in_json_is_read_too(data: st.DataObject, tensors: Any) -> None:
    sent = data.draw(responses(tensors(finite=True, text=True)))
    raw = [tensor.name for tensor in sent.outputs if data.draw(st.booleans())]
    asked = InferenceRequest("m", (), outputs=tuple(RequestedOutput(name, binary=True) for name in raw))
    encoded = server_rest.encode_response(sent, asked)
    assert (encoded.header_length is None) is (not raw)
    assert_same_answer(decode_rest_response(encoded.body, encoded.header_length), sent)


@EXAMPLES
@given(data=st.data(), is_raw=st.booleans())
def test_a_grpc_answer_of_the_server_is_read_as_it_was(
    data: st.DataObject, tensors: Any, is_raw: bool
) -> None:
    sent = data.draw(responses(tensors() if is_raw else tensors(tuple(FIELDS))))
    message = server_grpc.encode_response(sent, request_was_raw=is_raw)
    assert_same_answer(decode_grpc_response(message.SerializeToString()), sent)


@pytest.mark.parametrize("is_binary", [True, False])
def test_kserves_own_answers_are_read(is_binary: bool) -> None:
    scores = np.array([[0.5, 0.25]], "<f4")
    output = InferOutput("score", [1, 2], "FP32")
    if is_binary:
        output.set_data_from_numpy(scores, binary_data=True)
    else:
        output.data = scores.reshape(-1).tolist()
    answer = InferResponse("7", "m", [output], use_binary_outputs=is_binary)
    body, header_length = answer.to_rest()
    by_rest = decode_rest_response(body if is_binary else orjson.dumps(body), header_length)
    by_grpc = decode_grpc_response(answer.to_grpc().SerializeToString())
    for read in (by_rest, by_grpc):
        assert (read.model_name, read.id) == ("m", "7")
        np.testing.assert_array_equal(read.outputs[0].array, scores, strict=True)


def named(**fields: Any) -> dict[str, Any]:
    return {"name": "y", "datatype": "FP32", "shape": [1], **fields}


@pytest.mark.parametrize(
    ("message", "raw", "word"),
    [
        (b"<html>", None, "JSON"),
        (b"", None, "JSON"),
        ([], None, "object"),
        ({}, None, "no"),
        ({"outputs": []}, None, "no"),
        ({"outputs": {}}, None, "list"),
        ({"outputs": [{"datatype": "FP32", "shape": [1], "data": [1]}]}, None, "name"),
        ({"outputs": [named(datatype="BF16", data=[1])]}, None, "BF16"),
        ({"outputs": [named(data=[1, 2])]}, None, "shape"),
        ({"outputs": [named(data=["1"])]}, None, "FP32"),
        ({"outputs": [named(data=[1]), named(data=[1])]}, None, "twice"),
        ({"outputs": [named(parameters={"binary_data_size": 4})]}, None, "binary_data_size"),
        ({"outputs": [named(parameters={"binary_data_size": 4})]}, b"abc", "binary_data_size"),
        ({"outputs": [named(parameters={"binary_data_size": 4})]}, b"abcde", "1 bytes"),
        ({"outputs": [named(data=[1])], "parameters": [1]}, None, "parameters"),
        ({"outputs": [named(data=[1])], "parameters": {"revision": {}}}, None, "revision"),
    ],
)
def test_what_is_no_rest_answer_is_the_predictors_failure(message: Any, raw: bytes | None, word: str) -> None:
    header = message if isinstance(message, bytes) else orjson.dumps(message)
    with pytest.raises(PredictorFailed, match=word) as raised:
        decode_rest_response(header + (raw or b""), None if raw is None else len(header))
    assert str(raised.value).startswith("the predictor's answer cannot be read")


def answer(change: Callable[[Any], object] = lambda _: None) -> bytes:
    message = pb.ModelInferResponse(model_name="m")
    message.outputs.add(name="y", datatype="FP32", shape=[1])
    message.raw_output_contents.append(struct.pack("<f", 1))
    change(message)
    data: bytes = message.SerializeToString()
    return data


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"\xff", "pars"),
        (b"", "no inputs"),
        (answer(lambda m: m.raw_output_contents.append(b"")), "2 raw"),
        (answer(lambda m: m.ClearField("raw_output_contents")), "0 values"),
        (answer(lambda m: m.outputs[0].contents.fp32_contents.append(1)), "raw"),
        (answer(lambda m: m.outputs[0].shape.append(2)), "4 bytes"),
        (answer(lambda m: setattr(m.outputs[0], "datatype", "BF16")), "BF16"),
    ],
)
def test_what_is_no_grpc_answer_is_the_predictors_failure(data: bytes, word: str) -> None:
    with pytest.raises(PredictorFailed, match=word) as raised:
        decode_grpc_response(data)
    assert str(raised.value).startswith("the predictor's answer cannot be read")


WHOLE = orjson.dumps({"outputs": [named(parameters={"binary_data_size": 4})], "id": 7})


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60), header_length=st.none() | st.integers(0, 80))
@example(body=WHOLE + bytes(4), header_length=len(WHOLE) + 9)
def test_any_bytes_are_an_answer_or_a_failure(body: bytes, header_length: int | None) -> None:
    with contextlib.suppress(PredictorFailed):
        assert isinstance(decode_rest_response(body, header_length), InferenceResponse)
    with contextlib.suppress(PredictorFailed):
        assert isinstance(decode_grpc_response(body), InferenceResponse)


def test_an_id_that_is_a_number_is_read_as_text() -> None:
    assert decode_rest_response(WHOLE + bytes(4), len(WHOLE)).id == "7"
