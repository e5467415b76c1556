"""The REST codec with the real clients as the other side, without a server between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
import tritonclient.http as triton
from hypothesis import given, settings
from hypothesis import strategies as st
from kserve import InferInput, InferRequest, InferResponse

from modelserve.protocol.messages import DTYPES, InferenceRequest, InferenceResponse, Tensor, bytes_array
from modelserve.protocol.rest import decode_request, encode_response

EXAMPLES = settings(max_examples=60, deadline=None)


def decode(body: bytes, header_length: int | None) -> InferenceRequest:
    return decode_request(body, model_name="m", model_version=None, header_length=header_length)


def in_bytes(array: Any) -> Any:
    """The array, with what a client gives as text put back into bytes."""
    if array.dtype != object:
        return array
    values = [value.encode() if isinstance(value, str) else value for value in array.reshape(-1).tolist()]
    return bytes_array(values, array.shape)


def triton_inputs(tensors: tuple[Tensor, ...], binary: tuple[bool, ...]) -> list[triton.InferInput]:
    inputs = []
    for tensor, is_binary in zip(tensors, binary, strict=True):
        given = triton.InferInput(tensor.name, list(tensor.shape), tensor.datatype)
        inputs.append(given.set_data_from_numpy(tensor.array, binary_data=is_binary))
    return inputs


@EXAMPLES
@given(data=st.data())
def test_tritonclient_request(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors(finite=True, text=True))
    binary = tuple(data.draw(st.booleans()) for _ in expected)
    body, header_length = triton.InferenceServerClient.generate_request_body(
        triton_inputs(expected, binary), request_id="r", parameters={"min_score": 0.5}, priority=3, timeout=9
    )
    request = decode(body, header_length)
    assert (request.id, request.binary_output) == ("r", True)
    assert request.parameters["min_score"] == 0.5
    for ours, theirs, is_binary in zip(request.inputs, expected, binary, strict=True):
        np.testing.assert_array_equal(ours.array, theirs.array, strict=True)
        assert ours.from_json is not is_binary


@EXAMPLES
@given(data=st.data())
def test_tritonclient_response(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors(finite=True, text=True))
    asked = [triton.InferRequestedOutput(t.name, binary_data=data.draw(st.booleans())) for t in expected]
    body, header_length = triton.InferenceServerClient.generate_request_body(
        triton_inputs(expected, (True,) * len(expected)), outputs=asked
    )
    encoded = encode_response(InferenceResponse("m", expected), decode(body, header_length))
    result = triton.InferenceServerClient.parse_response_body(
        encoded.body, header_length=encoded.header_length
    )
    for tensor in expected:
        np.testing.assert_array_equal(in_bytes(result.as_numpy(tensor.name)), tensor.array, strict=True)


def kserve_request(tensors: tuple[Tensor, ...], binary: tuple[bool, ...]) -> InferRequest:
    inputs = []
    for tensor, is_binary in zip(tensors, binary, strict=True):
        given = InferInput(tensor.name, list(tensor.shape), tensor.datatype)
        given.set_data_from_numpy(tensor.array, binary_data=is_binary)
        inputs.append(given)
    return InferRequest("m", inputs, parameters={"top_k": 3})


@EXAMPLES
@given(data=st.data())
def test_kserve_request(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors(finite=True, text=True))
    binary = tuple(tensor.datatype == "FP16" or data.draw(st.booleans()) for tensor in expected)
    body, header_length = kserve_request(expected, binary).to_rest()
    request = decode(body if isinstance(body, bytes) else orjson.dumps(body), header_length)
    assert request.parameters == {"top_k": 3}
    assert request.id
    for ours, theirs in zip(request.inputs, expected, strict=True):
        np.testing.assert_array_equal(ours.array, theirs.array, strict=True)


def test_kserve_request_with_nested_lists() -> None:
    inputs = [InferInput("a", [2, 2], "FP32", [[1.5, 2], [3, 4]], parameters={"note": "x"})]
    inputs.append(InferInput("b", [1, 2], "BYTES", [["é", ""]]))
    body, _ = InferRequest("m", inputs).to_rest()
    first, second = decode(orjson.dumps(body), None).inputs
    assert first.array.tolist() == [[1.5, 2], [3, 4]]
    assert second.array.tolist() == [["é".encode(), b""]]


@EXAMPLES
@given(data=st.data())
def test_kserve_reads_our_json(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors(finite=True, text=True))
    response = InferenceResponse("m", expected, id="7", parameters={"revision": "local"})
    encoded = encode_response(response, InferenceRequest("m", ()))
    read = InferResponse.from_rest(orjson.loads(encoded.body))
    assert (read.id, read.model_name, read.parameters) == ("7", "m", {"revision": "local"})
    for output, tensor in zip(read.outputs, expected, strict=True):
        np.testing.assert_array_equal(in_bytes(output.as_numpy()), tensor.array, strict=True)


@EXAMPLES
@given(data=st.data())
def test_kserve_reads_our_binary(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors([d for d in DTYPES if d != "BYTES"]))
    encoded = encode_response(InferenceResponse("m", expected), InferenceRequest("m", (), binary_output=True))
    read = InferResponse.from_bytes(encoded.body, encoded.header_length)
    for output, tensor in zip(read.outputs, expected, strict=True):
        np.testing.assert_array_equal(output.as_numpy(), tensor.array, strict=True)


@pytest.mark.parametrize("datatype", list(DTYPES))
def test_kserve_sends_an_empty_binary_tensor_without_a_header(datatype: str) -> None:
    array = np.empty((0, 3), DTYPES[datatype])
    body, header_length = kserve_request((Tensor("x", datatype, array),), (True,)).to_rest()
    assert header_length is None
    (tensor,) = decode(orjson.dumps(body), header_length).inputs
    assert (tensor.shape, tensor.array.dtype) == ((0, 3), DTYPES[datatype])
