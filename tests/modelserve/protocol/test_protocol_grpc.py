"""V2 over gRPC: round trips of raw and typed contents, both real clients, and every refusal."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from kserve import InferInput, InferRequest, InferResponse
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from tritonclient.grpc._utils import _get_inference_request

from modelserve.errors import InvalidInput
from modelserve.protocol.grpc import FIELDS, decode_request, encode_response
from modelserve.protocol.messages import (
    DTYPES,
    InferenceRequest,
    InferenceResponse,
    RequestedOutput,
    Tensor,
    bytes_array,
)

EXAMPLES = settings(max_examples=60, deadline=None)


def as_request(response: pb.ModelInferResponse) -> InferenceRequest:
    """Read an answer's outputs as inputs: the two have the same form on the wire."""
    message = pb.ModelInferRequest(
        inputs=[
            pb.ModelInferRequest.InferInputTensor.FromString(output.SerializeToString())
            for output in response.outputs
        ],
        raw_input_contents=response.raw_output_contents,
    )
    return decode_request(pb.ModelInferRequest.FromString(message.SerializeToString()))


def assert_same(decoded: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    assert [(t.name, t.datatype) for t in decoded] == [(t.name, t.datatype) for t in expected]
    for ours, theirs in zip(decoded, expected, strict=True):
        np.testing.assert_array_equal(ours.array, theirs.array, strict=True)


@EXAMPLES
@given(data=st.data())
def test_raw_round_trip(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors())
    message = encode_response(InferenceResponse("m", expected), request_was_raw=True)
    assert len(message.raw_output_contents) == len(expected)
    assert_same(as_request(message).inputs, expected)


@EXAMPLES
@given(data=st.data())
def test_typed_round_trip(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors(tuple(FIELDS)))
    message = encode_response(InferenceResponse("m", expected), request_was_raw=False)
    assert not message.raw_output_contents
    assert_same(as_request(message).inputs, expected)


def test_every_datatype_but_fp16_has_a_typed_field() -> None:
    assert set(DTYPES) - set(FIELDS) == {"FP16"}


def test_fp16_makes_every_output_raw() -> None:
    outputs = (Tensor("a", "FP32", np.ones(1, "<f4")), Tensor("b", "FP16", np.ones(1, "<f2")))
    message = encode_response(InferenceResponse("m", outputs), request_was_raw=False)
    assert_same(as_request(message).inputs, outputs)
    assert list(message.raw_output_contents) == [b"\0\0\x80\x3f", b"\0\x3c"]


def test_all_fields() -> None:
    message = pb.ModelInferRequest(model_name="m", model_version="2", id="7")
    message.inputs.add(name="x", datatype="INT8", shape=[1]).contents.int_contents.append(-3)
    message.outputs.add(name="y").parameters["binary_data"].bool_param = True
    message.parameters["b"].bool_param = False
    message.parameters["i"].int64_param = -5
    message.parameters["s"].string_param = ""
    message.parameters["unset"].SetInParent()
    request = decode_request(message)
    assert (request.model_name, request.model_version, request.id) == ("m", "2", "7")
    assert request.outputs == (RequestedOutput("y", True),)
    assert request.parameters == {"b": False, "i": -5, "s": ""}
    bare = decode_request(pb.ModelInferRequest(inputs=message.inputs))
    assert (bare.model_version, bare.id, bare.outputs) == (None, None, ())


def test_all_fields_of_a_response() -> None:
    parameters: dict[str, Any] = {"b": True, "i": -5, "f": 0.25, "s": "x"}
    response = InferenceResponse("m", (), model_version="2", id="7", parameters=parameters)
    message = encode_response(response, request_was_raw=True)
    assert (message.model_name, message.model_version, message.id) == ("m", "2", "7")
    read = triton.service_pb2.ModelInferResponse.FromString(message.SerializeToString())
    found = {name: getattr(p, p.WhichOneof("parameter_choice")) for name, p in read.parameters.items()}
    assert found == parameters


def triton_request(tensors: tuple[Tensor, ...], **fields: Any) -> pb.ModelInferRequest:
    """The message that ``tritonclient.grpc`` sends, read by KServe's messages as the server does."""
    inputs = []
    for tensor in tensors:
        given = triton.InferInput(tensor.name, list(tensor.shape), tensor.datatype)
        inputs.append(given.set_data_from_numpy(tensor.array))
    options = {"model_version": "", "request_id": "", "outputs": None, "sequence_id": 0}
    options |= {"sequence_start": False, "sequence_end": False, "priority": 0, "timeout": None}
    options |= {"parameters": None, **fields}
    message = _get_inference_request(model_name="m", inputs=inputs, **options)
    return pb.ModelInferRequest.FromString(message.SerializeToString())


@EXAMPLES
@given(data=st.data())
def test_tritonclient_both_ways(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors())
    request = decode_request(triton_request(expected))
    assert_same(request.inputs, expected)
    message = encode_response(InferenceResponse("m", expected), request_was_raw=True)
    theirs = triton.service_pb2.ModelInferResponse.FromString(message.SerializeToString())
    result = triton.InferResult(theirs)
    for tensor in expected:
        np.testing.assert_array_equal(result.as_numpy(tensor.name), tensor.array, strict=True)


def test_tritonclient_options() -> None:
    message = triton_request(
        (Tensor("x", "BOOL", np.array([True])),),
        request_id="r",
        outputs=[triton.InferRequestedOutput("y")],
        priority=2**64 - 1,
        timeout=9,
        parameters={"min_score": 0.9, "top_k": 3, "note": "é", "on": True},
    )
    request = decode_request(message)
    assert (request.id, request.outputs) == ("r", (RequestedOutput("y"),))
    assert request.parameters == {
        **{"priority": 2**64 - 1, "timeout": 9, "min_score": 0.9, "top_k": 3, "note": "é", "on": True}
    }


@EXAMPLES
@given(data=st.data())
def test_kserve_request_raw(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors())
    inputs = [InferInput(t.name, list(t.shape), t.datatype, t.array) for t in expected]
    message = InferRequest("m", inputs, request_id="7", parameters={"top_k": 3}).to_grpc()
    request = decode_request(message)
    assert (request.id, request.parameters["top_k"]) == ("7", 3)
    assert_same(request.inputs, expected)


@EXAMPLES
@given(data=st.data())
def test_kserve_request_typed(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors(tuple(FIELDS)))
    inputs = [InferInput(t.name, list(t.shape), t.datatype, t.array.reshape(-1).tolist()) for t in expected]
    assert_same(decode_request(InferRequest("m", inputs).to_grpc()).inputs, expected)


@EXAMPLES
@given(data=st.data(), raw=st.booleans())
def test_kserve_reads_our_response(data: st.DataObject, tensors: Any, *, raw: bool) -> None:
    expected = data.draw(tensors(tuple(FIELDS)))
    response = InferenceResponse("m", expected, id="7", parameters={"revision": "local"})
    read = InferResponse.from_grpc(encode_response(response, request_was_raw=raw))
    assert (read.id, read.parameters["revision"].string_param) == ("7", "local")
    for output, tensor in zip(read.outputs, expected, strict=True):
        np.testing.assert_array_equal(output.as_numpy(), tensor.array, strict=True)


def test_raw_numbers_are_views() -> None:
    (tensor,) = decode_request(
        pb.ModelInferRequest(
            inputs=[{"name": "x", "datatype": "FP32", "shape": [1, 2]}], raw_input_contents=[bytes(8)]
        )
    ).inputs
    assert not tensor.array.flags.owndata
    assert not tensor.array.flags.writeable


def item(datatype: str = "FP32", shape: tuple[int, ...] = (1,), name: str = "x", **contents: Any) -> Any:
    return {"name": name, "datatype": datatype, "shape": shape, "contents": contents or None}


@pytest.mark.parametrize(
    ("inputs", "raw", "sentence"),
    [
        ([], [], "the request has no inputs; at least one is accepted"),
        ([item()], [b"1234", b"5678"], "the request has 1 inputs and 2 raw contents; one for each input"),
        (
            [item(), item(name="y")],
            [b"1234"],
            "the request has 2 inputs and 1 raw contents; one for each input",
        ),
        ([item(fp32_contents=[1])], [b"1234"], "input 'x' has typed contents in a request with raw contents"),
        (
            [item(), item(name="y", fp32_contents=[1])],
            [b"1234", b"1234"],
            "input 'y' has typed contents in a request with raw contents",
        ),
        ([item()], [b"123"], r"input 'x' of FP32 and shape \[1\] has 3 bytes of data; exactly 4"),
        ([item("FP16")], [], "input 'x' of FP16 has no typed contents; raw contents are accepted"),
        ([item("BF16")], [], "input 'x' has the unknown datatype 'BF16'"),
        ([item(shape=(-1,), fp32_contents=[1])], [], r"input 'x' has the shape \[-1\]"),
        ([item(shape=(2**62, 8))], [], "input 'x' has a shape of 2 axes that is too large"),
        ([item()], [], r"input 'x' of shape \[1\] has 0 values in fp32_contents; exactly 1 are accepted"),
        ([item(fp32_contents=[1, 2])], [], r"input 'x' of shape \[1\] has 2 values in fp32_contents"),
        ([item(int_contents=[1])], [], "input 'x' of FP32 has its values in int_contents; fp32_contents is"),
        (
            [item(fp32_contents=[1], fp64_contents=[1])],
            [],
            "input 'x' of FP32 has its values in fp64_contents; fp32_contents is accepted",
        ),
        (
            [item("UINT8", uint_contents=[256])],
            [],
            "input 'x' of UINT8 holds other values; integers from 0 to 255",
        ),
        (
            [item("INT8", int_contents=[-129])],
            [],
            "input 'x' of INT8 holds other values; integers from -128 to 127",
        ),
        ([item("UINT16", uint_contents=[2**16])], [], "input 'x' of UINT16 holds other values"),
        (
            [item(fp32_contents=[1]), item(fp32_contents=[1])],
            [],
            "input 'x' is given twice; each input is accepted once",
        ),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_refusals(inputs: list[Any], raw: list[bytes], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{sentence}"):
        decode_request(pb.ModelInferRequest(inputs=inputs, raw_input_contents=raw))


def test_outputs_that_ask_for_what_is_not_done_are_refused() -> None:
    message = pb.ModelInferRequest(inputs=[item(fp32_contents=[1])])
    message.outputs.add(name="y").parameters["classification"].int64_param = 3
    with pytest.raises(InvalidInput, match=r"^output 'y' asks for Triton's classification extension; only"):
        decode_request(message)


@EXAMPLES
@given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda tail: b"\x2a" + bytes([len(tail)]) + tail))
def test_whatever_protobuf_parses_is_read_or_refused(data: bytes) -> None:
    try:
        message = pb.ModelInferRequest.FromString(data)
    except DecodeError:
        return
    with contextlib.suppress(InvalidInput):
        decode_request(message)


def test_bytes_are_not_text() -> None:
    message = pb.ModelInferRequest(inputs=[item("BYTES", (2,), bytes_contents=[b"\xff\0", b""])])
    (tensor,) = decode_request(message).inputs
    np.testing.assert_array_equal(tensor.array, bytes_array([b"\xff\0", b""], (2,)), strict=True)
    assert not tensor.from_json
