"""Whatever a caller sends over REST is read or refused with a sentence; nothing else may be raised."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from modelserve.errors import InvalidInput
from modelserve.protocol.messages import DTYPES, InferenceRequest, InferenceResponse
from modelserve.protocol.rest import decode_request, encode_response

EXAMPLES = settings(max_examples=150, deadline=None)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([*DTYPES, "x", 0, 1, 255, 256, -1])
)
NAMES = ["id", "inputs", "outputs", "name", "datatype", "shape", "data", "parameters"]
OPTIONS = ["binary_data_size", "binary_data", "binary_data_output", "classification"]
KEYS = st.sampled_from([*NAMES, *OPTIONS])
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
NEARLY_INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["x", "y"]) | SCALARS,
        "datatype": st.sampled_from(list(DTYPES)) | SCALARS,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | JSON,
        "data": st.lists(SCALARS, max_size=6) | st.lists(st.lists(SCALARS, max_size=3), max_size=3) | JSON,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 20) | JSON})
        | JSON,
    },
)
NEARLY_REQUESTS = st.fixed_dictionaries(
    {"inputs": st.lists(NEARLY_INPUTS, max_size=3) | JSON},
    optional={"id": SCALARS, "parameters": JSON, "outputs": st.lists(NEARLY_INPUTS, max_size=2) | JSON},
)


def read_or_refuse(body: bytes, header_length: int | None) -> None:
    refusal, request = None, None
    try:
        request = decode_request(body, model_name="m", model_version=None, header_length=header_length)
    except InvalidInput as error:
        refusal = str(error)
    if request is None:
        # The sentence is sent: it must be one line of UTF-8 that does not repeat the body.
        assert refusal is not None
        assert "\n" not in refusal
        assert len(refusal.encode()) < 500
        return
    for tensor in request.inputs:
        assert tensor.array.dtype == DTYPES[tensor.datatype]
    encode_response(InferenceResponse("m", request.inputs), InferenceRequest("m", ()))


@EXAMPLES
@given(st.binary(max_size=300), st.none() | st.integers(-5, 320))
def test_arbitrary_bytes(body: bytes, header_length: int | None) -> None:
    read_or_refuse(body, header_length)


@EXAMPLES
@given(JSON, st.none() | st.integers(-5, 100))
def test_arbitrary_json(message: Any, header_length: int | None) -> None:
    read_or_refuse(orjson.dumps(message), header_length)


@EXAMPLES
@given(NEARLY_REQUESTS, st.none() | st.binary(max_size=40))
def test_nearly_valid_requests(message: Any, raw: bytes | None) -> None:
    body = orjson.dumps(message)
    read_or_refuse(body + (raw or b""), None if raw is None else len(body))


@EXAMPLES
@given(data=st.data(), binary=st.booleans())
def test_mutated_valid_bodies(data: st.DataObject, tensors: Any, *, binary: bool) -> None:
    expected = data.draw(tensors(text=True))
    encoded = encode_response(
        InferenceResponse("m", expected), InferenceRequest("m", (), binary_output=binary)
    )
    body = bytearray(encoded.body.replace(b'"outputs":', b'"inputs" :', 1))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(body)))
        kind = data.draw(st.sampled_from(["change", "insert", "cut"]))
        if kind == "insert":
            body[position:position] = data.draw(st.binary(min_size=1, max_size=4))
        elif kind == "cut":
            del body[position : position + data.draw(st.integers(1, 8))]
        else:
            with contextlib.suppress(IndexError):
                body[position] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(body), encoded.header_length)
