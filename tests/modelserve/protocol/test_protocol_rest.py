"""V2 over REST: round trips, the two forms in one body, and every refusal."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelserve.errors import InvalidInput
from modelserve.protocol.messages import (
    DTYPES,
    InferenceRequest,
    InferenceResponse,
    RequestedOutput,
    Tensor,
    bytes_array,
)
from modelserve.protocol.rest import EncodedResponse, decode_request, encode_response

EXAMPLES = settings(max_examples=60, deadline=None)


def decode(message: Any, raw: bytes | None = None) -> InferenceRequest:
    body = message if isinstance(message, bytes) else orjson.dumps(message)
    length = None if raw is None else len(body)
    return decode_request(body + (raw or b""), model_name="m", model_version=None, header_length=length)


def encode(
    *outputs: Tensor, asked: tuple[RequestedOutput, ...] = (), binary: bool = False
) -> EncodedResponse:
    request = InferenceRequest("m", (), outputs=asked, binary_output=binary)
    return encode_response(InferenceResponse("m", outputs), request)


def as_request(encoded: EncodedResponse) -> InferenceRequest:
    """Read an answer's outputs as inputs: the two have the same form."""
    length = len(encoded.body) if encoded.header_length is None else encoded.header_length
    message = orjson.loads(encoded.body[:length])
    message["inputs"] = message.pop("outputs")
    return decode(message, encoded.body[length:])


def fp32(data: Any, shape: Any = (1,), **fields: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": shape, "data": data, **fields}]}


def assert_same(decoded: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    assert [(t.name, t.datatype) for t in decoded] == [(t.name, t.datatype) for t in expected]
    for ours, theirs in zip(decoded, expected, strict=True):
        np.testing.assert_array_equal(ours.array, theirs.array, strict=True)


@EXAMPLES
@given(data=st.data())
def test_json_round_trip(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors(finite=True, text=True))
    encoded = encode(*expected)
    assert encoded.header_length is None
    decoded = as_request(encoded).inputs
    assert_same(decoded, expected)
    assert all(tensor.from_json for tensor in decoded)


@EXAMPLES
@given(data=st.data())
def test_binary_round_trip(data: st.DataObject, tensors: Any) -> None:
    expected = data.draw(tensors())
    encoded = encode(*expected, binary=True)
    assert encoded.header_length is not None
    decoded = as_request(encoded).inputs
    assert_same(decoded, expected)
    assert not any(tensor.from_json for tensor in decoded)


@EXAMPLES
@given(data=st.data(), default=st.booleans())
def test_mixed_round_trip(data: st.DataObject, tensors: Any, *, default: bool) -> None:
    expected = data.draw(tensors(finite=True, text=True))
    asked = tuple(
        RequestedOutput(tensor.name, data.draw(st.sampled_from([None, True, False])))
        for tensor in data.draw(st.permutations(expected))
    )
    encoded = encode(*expected, asked=asked, binary=default)
    decoded = as_request(encoded).inputs
    assert_same(decoded, expected)
    form = {output.name: default if output.binary is None else output.binary for output in asked}
    assert [tensor.from_json for tensor in decoded] == [not form[tensor.name] for tensor in expected]
    assert (encoded.header_length is not None) == any(form.values())


@EXAMPLES
@given(data=st.data())
def test_nested_lists_are_read_as_flat_ones(data: st.DataObject, tensors: Any) -> None:
    (tensor,) = data.draw(tensors([d for d in DTYPES if d != "BYTES"], finite=True))[:1]
    if tensor.shape:
        item = {"name": "t0", "datatype": tensor.datatype, "shape": tensor.shape}
        nested = decode({"inputs": [{**item, "data": tensor.array.tolist()}]})
        assert_same(nested.inputs, (tensor,))


def test_nested_strings() -> None:
    item = {"name": "x", "datatype": "BYTES", "shape": [2, 2], "data": [["a", "é"], ["", "😀"]]}
    array = decode({"inputs": [item]}).inputs[0].array
    assert array.tolist() == [[b"a", "é".encode()], [b"", "😀".encode()]]


def test_all_fields_of_a_request() -> None:
    request = decode_request(
        orjson.dumps(
            {
                "id": "7",
                "model_name": "ignored",
                "parameters": {"b": True, "i": 3, "f": 0.5, "s": "x", "n": None, "binary_data_output": True},
                "inputs": [
                    {
                        "name": "x",
                        "datatype": "INT8",
                        "shape": [1],
                        "data": [1],
                        "parameters": {"content_type": "np"},
                    }
                ],
                "outputs": [
                    {"name": "a"},
                    {"name": "b", "parameters": {"binary_data": False}},
                    {"name": "c", "parameters": {"binary_data": True}},
                ],
            }
        ),
        model_name="m",
        model_version="2",
        header_length=None,
    )
    assert (request.model_name, request.model_version, request.id) == ("m", "2", "7")
    assert request.parameters == {"b": True, "i": 3, "f": 0.5, "s": "x", "binary_data_output": True}
    assert request.binary_output
    assert [(output.name, output.binary) for output in request.outputs] == [
        ("a", None),
        ("b", False),
        ("c", True),
    ]


def test_null_stands_for_a_field_that_is_left_out() -> None:
    request = decode({**fp32([1]), "id": None, "outputs": None, "parameters": None})
    assert (request.id, request.outputs, request.parameters, request.binary_output) == (None, (), {}, False)


def test_all_fields_of_a_response() -> None:
    response = InferenceResponse(
        "m",
        (Tensor("y", "INT8", np.array([1], "i1")),),
        model_version="2",
        id="7",
        parameters={"revision": "r"},
    )
    encoded = encode_response(response, InferenceRequest("m", ()))
    assert json.loads(encoded.body) == {
        "model_name": "m",
        "model_version": "2",
        "id": "7",
        "parameters": {"revision": "r"},
        "outputs": [{"name": "y", "datatype": "INT8", "shape": [1], "data": [1]}],
    }
    assert set(json.loads(encode().body)) == {"model_name", "outputs"}


def test_json_writes_null_for_what_is_not_finite() -> None:
    array = np.array([np.nan, np.inf, -np.inf, 0.1], "<f4")
    assert json.loads(encode(Tensor("y", "FP32", array)).body)["outputs"][0]["data"] == [
        None,
        None,
        None,
        0.1,
    ]


def test_json_writes_base64_where_one_element_is_no_text() -> None:
    output = json.loads(encode(Tensor("y", "BYTES", bytes_array([b"text", b"\xff"], (2,)))).body)["outputs"][
        0
    ]
    assert output["parameters"] == {"content_type": "base64"}
    assert [base64.b64decode(value) for value in output["data"]] == [b"text", b"\xff"]
    output = json.loads(encode(Tensor("y", "BYTES", bytes_array([b"text"], (1,)))).body)["outputs"][0]
    assert "parameters" not in output
    assert output["data"] == ["text"]


def test_json_writes_arrays_that_are_not_contiguous_in_row_major_order() -> None:
    columns = np.arange(4, dtype="<i4").reshape(2, 2).T
    assert json.loads(encode(Tensor("y", "INT32", columns)).body)["outputs"][0]["data"] == [0, 2, 1, 3]


def test_an_unaligned_binary_tensor_is_readable() -> None:
    for padding in range(4):
        item = {"name": "x", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}
        body = orjson.dumps({"inputs": [item]}) + b" " * padding
        assert decode(body, np.array([1, 2], "<f4").tobytes()).inputs[0].array.tolist() == [1, 2]


LIMITS = [(d, np.iinfo(DTYPES[d])) for d in DTYPES if DTYPES[d].kind in "iu"]


@pytest.mark.parametrize(("datatype", "limits"), LIMITS, ids=[d for d, _ in LIMITS])
def test_integers_are_never_wrapped(datatype: str, limits: Any) -> None:
    lowest, highest = int(limits.min), int(limits.max)
    for value in (lowest, highest):
        assert decode(fp32([value], datatype=datatype)).inputs[0].array.tolist() == [value]
    for value in (lowest - 1, highest + 1):
        message = json.dumps(fp32([value], datatype=datatype)).encode()
        with pytest.raises(
            InvalidInput, match=f"^input 'x' of {datatype} holds .*; integers from {lowest} to {highest} are"
        ):
            decode(message)


NOT_INTEGERS: tuple[Any, ...] = (1.5, 1.0, True, "1", None, {}, [1])
NOT_NUMBERS: tuple[Any, ...] = (True, False, "1.5", "nan", None, {}, [1.0])
NOT_BOOLEANS: tuple[Any, ...] = (0, 1, 1.0, "true", None, [True])
NOT_STRINGS: tuple[Any, ...] = (0, 1.5, True, None, {}, ["a"])


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        *[(datatype, value) for datatype in ("INT32", "UINT8", "INT64") for value in NOT_INTEGERS],
        *[(datatype, value) for datatype in ("FP16", "FP32", "FP64") for value in NOT_NUMBERS],
        ("FP16", 65520),
        ("FP32", 1e39),
        ("FP32", -1e39),
        *[("BOOL", value) for value in NOT_BOOLEANS],
        *[("BYTES", value) for value in NOT_STRINGS],
    ],
)
@pytest.mark.parametrize("position", [0, 1])
def test_values_of_another_kind_are_refused(datatype: str, value: Any, position: int) -> None:
    good: Any = {"BOOL": True, "BYTES": "a"}.get(datatype, 2)
    data = [good, good]
    data[position] = value
    with pytest.raises(InvalidInput, match=r"^(the data of )?input 'x' .* are accepted$"):
        decode(fp32(data, [2], datatype=datatype))


def test_integers_are_numbers() -> None:
    assert decode(fp32([0, 1, 2.5, 2**64 - 1], [4])).inputs[0].array.tolist() == [0, 1, 2.5, 2.0**64]


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ([2], [1]),
        ([2], [1, 2, 3]),
        ([0], [1]),
        ([], []),
        ([], [[1]]),
        ([1], [[1]]),
        ([2, 2], [[1, 2]]),
        ([2, 2], [[1, 2, 3, 4]]),
        ([2, 2], [[1], [2, 3, 4]]),
        ([2, 2], [[1, 2], 3]),
        ([2, 2], [[[1], [2]], [[3], [4]]]),
        ([2, 1, 2], [[1, 2], [3, 4]]),
        ([1, 0], [[], []]),
    ],
    ids=repr,
)
def test_data_of_another_shape_is_refused(shape: list[int], data: Any) -> None:
    with pytest.raises(InvalidInput, match=r"input 'x' (of FP32 holds other values|does not have its shape)"):
        decode(fp32(data, shape))


@pytest.mark.parametrize("data", [1.5, "x", {}, True], ids=repr)
def test_data_that_is_no_list_is_refused(data: Any) -> None:
    with pytest.raises(
        InvalidInput, match=r"^the data of input 'x' is no list; a list of values is accepted$"
    ):
        decode(fp32(data))


RAW = {"name": "x", "datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 4}}
GOOD = {"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (b"", "the body is no JSON"),
        (b"{", "the body is no JSON"),
        (b'{"inputs": NaN}', "the body is no JSON"),
        (b'{"id": "\xff"}', "the body is no JSON"),
        (b'{"id": "\\ud800"}', "the body is no JSON"),
        (b"[" * 100_000, "the body is no JSON"),
        (b'{"inputs":' * 5000, "the body is no JSON"),
        (b"9" * 10_000, "the body is no JSON"),
        ([], "the body is no JSON object; an object with `inputs` is accepted"),
        (b"null", "the body is no JSON object"),
        ({}, "the request has no inputs; at least one is accepted"),
        ({"inputs": []}, "the request has no inputs"),
        ({"inputs": {}}, "the request's `inputs` are no list of objects"),
        ({"inputs": [1]}, "the request's `inputs` are no list of objects"),
        ({"inputs": [GOOD, without("name")]}, "number 2 of the request's `inputs` has no `name`"),
        ({"inputs": [{**GOOD, "name": 3}]}, "number 1 of the request's `inputs` has no `name`"),
        ({"inputs": [without("datatype")]}, "input 'x' has no `datatype`"),
        ({"inputs": [without("shape")]}, "input 'x' has no `shape`"),
        ({"inputs": [without("data")]}, "input 'x' has no data; `data`, or the parameter"),
        ({"inputs": [{**GOOD, "datatype": "FP8"}]}, "input 'x' has the unknown datatype 'FP8'"),
        ({"inputs": [{**GOOD, "datatype": 8}]}, "input 'x' has the unknown datatype 8;"),
        ({"inputs": [{**GOOD, "shape": [-1]}]}, r"input 'x' has the shape \[-1\]"),
        ({"inputs": [{**GOOD, "shape": [2**40, 2]}]}, "input 'x' has a shape of 2 axes that is too large"),
        ({"inputs": [GOOD, GOOD]}, "input 'x' is given twice; each input is accepted once"),
        ({"inputs": [{**GOOD, "parameters": []}]}, "the parameters of input 'x' are not an object"),
        ({"inputs": [{**GOOD, "parameters": {"p": []}}]}, "parameter 'p' of input 'x' is no single value"),
        ({"inputs": [{**RAW, "data": [1]}]}, "input 'x' has both `data` and `binary_data_size`"),
        ({"inputs": [RAW]}, "input 'x' has a `binary_data_size`, but the call has no header"),
        ({"inputs": [GOOD], "id": 7}, "the request's `id` is no string"),
        ({"inputs": [GOOD], "parameters": 7}, "the parameters of the request are not an object"),
        ({"inputs": [GOOD], "parameters": {"p": {}}}, "parameter 'p' of the request is no single value"),
        (
            {"inputs": [GOOD], "parameters": {"binary_data_output": 1}},
            "parameter 'binary_data_output' of the request is '1'; true or false is accepted",
        ),
        ({"inputs": [GOOD], "outputs": "y"}, "the request's `outputs` are no list of objects"),
        ({"inputs": [GOOD], "outputs": [{}]}, "number 1 of the request's `outputs` has no `name`"),
        (
            {"inputs": [GOOD], "outputs": [{"name": "y", "parameters": {"binary_data": "yes"}}]},
            "parameter 'binary_data' of output 'y' is 'yes'; true or false is accepted",
        ),
        (
            {"inputs": [GOOD], "outputs": [{"name": "y", "parameters": {"classification": 3}}]},
            "output 'y' asks for Triton's classification extension",
        ),
        (
            {"inputs": [GOOD], "outputs": [{"name": "y", "parameters": {"shared_memory_region": "r"}}]},
            "output 'y' asks for shared memory",
        ),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_refusals(message: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{sentence}") as caught:
        decode(message)
    assert str(caught.value).endswith((" is accepted", " are accepted", " accepted once", " accepted there"))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("inputs", "raw", "sentence"),
    [
        ([RAW], b"123", "input 'x' has a `binary_data_size` of 4, but 3 bytes of the body are left for it"),
        ([RAW], b"12345", "the body has 1 bytes after its last tensor"),
        ([GOOD], b"1", "the body has 1 bytes after its last tensor"),
        ([RAW, {**RAW, "name": "y"}], b"1234", "input 'y' has a `binary_data_size` of 4, but 0 bytes"),
        (
            [{**RAW, "shape": [2]}],
            b"1234",
            r"input 'x' of FP32 and shape \[2\] has 4 bytes of data; exactly 8",
        ),
        *[
            (
                [{**RAW, "parameters": {"binary_data_size": size}}],
                b"1234",
                "input 'x' has the `binary_data_size`",
            )
            for size in (-1, "4", 4.0, True)
        ],
    ],
    ids=lambda value: repr(value)[-50:],
)
def test_refusals_of_binary_bodies(inputs: list[Any], raw: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{sentence}"):
        decode({"inputs": inputs}, raw)


@pytest.mark.parametrize("length", [-1, 1_000_000])
def test_a_header_length_outside_of_the_body_is_refused(length: int) -> None:
    with pytest.raises(
        InvalidInput, match=f"^header Inference-Header-Content-Length is {length}, but the body has"
    ):
        decode_request(b"{}", model_name="m", model_version=None, header_length=length)


def test_of_a_key_that_is_there_twice_the_last_value_counts() -> None:
    assert decode(b'{"id": "1", "id": "2", ' + orjson.dumps(fp32([1]))[1:]).id == "2"
