"""Payloads of the log: every form of a call says the same, and what is no call of ours is told so."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from modelserve.errors import InvalidInput
from modelserve.events import Component, EventError, LoggedMessage, Pair, Rejection, Side
from modelserve.events.bodies import json_length
from modelserve.events.calls import Entity, ImageCall, TextCall
from modelserve.events.payloads import read_call
from modelserve.protocol.messages import (
    InferenceRequest,
    InferenceResponse,
    RequestedOutput,
    Tensor,
    bytes_array,
)
from modelserve.protocol.rest import encode_response
from modelserve.protocol.v1 import encode_predictions

WHOSE = Component("default", "names", "predictor")
FOUND = [{"type": "PER", "text": "Merkel", "start": 0, "end": 6, "score": 0.75}]
ENTITY = Entity("PER", "Merkel", 0, 6, 0.75)
TOLD = {"revision": "names-predictor-00001", "model_digest": "sha256:a"}
# What a raw tensor may hold: braces, quotes, and no UTF-8.
IMAGE = b'\xff\xd8}{"\\' + bytes(range(256))


def pair(request: bytes, response: bytes) -> Pair:
    halves = ((Side.REQUEST, 1.0, request), (Side.RESPONSE, 1.25, response))
    return Pair(*(LoggedMessage(WHOSE, "1", side, time, body) for side, time, body in halves))


def read_texts(request: bytes, response: bytes) -> TextCall:
    call = read_call(pair(request, response))
    assert isinstance(call, TextCall)
    return call


def read_images(request: bytes, response: bytes) -> ImageCall:
    call = read_call(pair(request, response))
    assert isinstance(call, ImageCall)
    return call


def triton_request(name: str, array: Any, datatype: str, *, binary: bool) -> bytes:
    """The body that NVIDIA's client sends."""
    tensor = InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    outputs = [InferRequestedOutput("label", binary_data=binary)]
    body: bytes = InferenceServerClient.generate_request_body([tensor], outputs=outputs)[0]
    return body


def answer(*tensors: Tensor, binary: bool, parameters: dict[str, str] | None = None) -> bytes:
    """The body that this package's servers answer with."""
    request = InferenceRequest(
        "names", (), outputs=tuple(RequestedOutput(tensor.name, binary) for tensor in tensors)
    )
    response = InferenceResponse("names", tensors, "1", parameters=TOLD if parameters is None else parameters)
    return encode_response(response, request).body


def entities(*found: list[dict[str, Any]]) -> Tensor:
    return Tensor("entities", "BYTES", bytes_array([orjson.dumps(one) for one in found], (len(found),)))


def classes(*, probability: bool = False) -> list[Tensor]:
    tensors = [
        Tensor("label", "BYTES", bytes_array([b"cat", b"dog"], (1, 2))),
        Tensor("score", "FP32", np.array([[0.75, 0.25]], np.float32)),
    ]
    if probability:
        tensors += [
            Tensor("probability", "FP32", np.array([[0.25, 0.75, 0]], np.float32)),
            Tensor("embedding", "FP32", np.ones((1, 4), np.float32)),
        ]
    return tensors


@pytest.mark.parametrize("asked_binary", [True, False])
@pytest.mark.parametrize("answered_binary", [True, False])
@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_texts_of_v2(shape: tuple[int, ...], asked_binary: bool, answered_binary: bool) -> None:
    texts = np.array(["Merkel", "}{ é"], object).reshape(shape)
    call = read_texts(
        triton_request("text", texts, "BYTES", binary=asked_binary),
        answer(entities(FOUND, []), binary=answered_binary),
    )
    assert call == TextCall(
        "names", "names-predictor-00001", "sha256:a", 0.25, ["Merkel", "}{ é"], [[ENTITY], []]
    )


@pytest.mark.parametrize("word", ["instances", "inputs"])
def test_texts_of_v1(word: str) -> None:
    request = orjson.dumps({word: ["Merkel", ""]})
    call = read_texts(request, encode_predictions([FOUND, []]))
    assert call == TextCall(None, None, None, 0.25, ["Merkel", ""], [[ENTITY], []])


@pytest.mark.parametrize("answered_binary", [True, False])
def test_images_of_v2(answered_binary: bool) -> None:
    encoded = np.array([IMAGE], object)
    in_json = {
        "inputs": [
            {
                "name": "image",
                "datatype": "BYTES",
                "shape": [1],
                "data": [base64.b64encode(IMAGE).decode()],
            }
        ]
    }
    for request in (triton_request("image", encoded, "BYTES", binary=True), orjson.dumps(in_json)):
        call = read_images(request, answer(*classes(probability=True), binary=answered_binary))
        assert call.images == [IMAGE]
        (found,) = call.classes
        assert (list(found.labels), list(found.scores)) == (["cat", "dog"], [0.75, 0.25])
        assert found.probability is not None
        assert found.probability.tolist() == [0.25, 0.75, 0]
        assert found.embedding is not None
        assert found.embedding.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("binary", [True, False])
def test_pixels(binary: bool) -> None:
    pixels = np.arange(3 * 4 * 5, dtype=np.float32).reshape(1, 3, 4, 5)
    call = read_images(
        triton_request("pixels", pixels, "FP32", binary=binary), answer(*classes(), binary=True)
    )
    np.testing.assert_array_equal(call.images[0], pixels[0])
    assert call.classes[0].probability is None


def test_images_of_v1() -> None:
    request = orjson.dumps({"instances": [{"b64": base64.b64encode(IMAGE).decode()}]})
    call = read_images(request, encode_predictions([{"labels": ["cat"], "scores": [0.75]}]))
    assert call.images == [IMAGE]
    assert (call.classes[0].labels, call.classes[0].scores, call.revision) == (["cat"], [0.75], None)


def test_an_answer_with_other_outputs() -> None:
    request = triton_request("image", np.array([IMAGE], object), "BYTES", binary=True)
    call = read_images(request, answer(classes(probability=True)[3], binary=True))
    assert (call.classes[0].labels, call.classes[0].scores) == ((), ())
    assert call.classes[0].embedding is not None


def test_an_answer_of_a_server_that_tells_nothing_of_itself() -> None:
    request = triton_request("text", np.array(["x"], object), "BYTES", binary=False)
    call = read_texts(request, answer(entities([]), binary=False, parameters={}))
    assert (call.model, call.revision, call.model_digest) == ("names", None, None)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_a_request_that_was_compressed(pack: Callable[[bytes], bytes], binary: bool) -> None:
    request = triton_request("text", np.array(["Merkel"], object), "BYTES", binary=binary)
    response = answer(entities(FOUND), binary=binary)
    assert read_texts(pack(request), response) == read_texts(request, response)
    in_v1 = orjson.dumps({"instances": ["Merkel"]})
    assert read_texts(pack(in_v1), encode_predictions([FOUND])).entities == [[ENTITY]]


def test_what_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelserve.events.bodies.MOST_UNPACKED", 1000)
    request = orjson.dumps({"inputs": [{**TEXT, "data": ["x" * 2000]}]})
    with pytest.raises(EventError, match="at most 1000 bytes are accepted"):
        read_call(pair(gzip.compress(request), GOOD_RESPONSE))


def test_blanks_before_the_json_of_a_binary_request() -> None:
    request = triton_request("text", np.array(["Merkel"], object), "BYTES", binary=True)
    response = answer(entities(FOUND), binary=True)
    assert read_texts(b" \r\n\t" + request, response) == read_texts(request, response)


blanks = st.text(" \t\r\n", max_size=5).map(str.encode)


@given(
    blanks,
    st.recursive(st.text() | st.floats() | st.none(), st.lists, max_leaves=20),
    st.binary(min_size=1),
)
def test_where_the_json_part_ends(before: bytes, value: Any, raw: bytes) -> None:
    part = before + orjson.dumps({"a": value})
    assert json_length(part) is None
    length = json_length(part + raw)
    # A raw part of white space alone is JSON to its end.
    assert length == (None if not raw.strip(b" \t\r\n") else len(part))


def test_a_long_json_part_before_raw_tensors() -> None:
    part = orjson.dumps({"a": ["é}" * 100] * 5000})
    assert json_length(part + b"\xff" * 100) == len(part)


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b'{"a": 1', b"[" * 100_000])
def test_a_body_that_does_not_begin_with_json(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="does not begin with JSON"):
        json_length(body)


TEXT = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["x"]}
GOOD_REQUEST = orjson.dumps({"inputs": [TEXT]})
GOOD_RESPONSE = answer(entities([]), binary=False)
TWO = answer(entities([], []), binary=False)
THREE = answer(entities([], [], []), binary=False)
V1 = orjson.dumps({"instances": ["x"]})


@pytest.mark.parametrize(
    ("request_body", "response_body"),
    [
        (b"", GOOD_RESPONSE),
        (b"[]", GOOD_RESPONSE),
        (b"{}", GOOD_RESPONSE),
        (GOOD_REQUEST + b"more", GOOD_RESPONSE),
        (GOOD_REQUEST, b"not JSON"),
        (GOOD_REQUEST, b"[]"),
        (GOOD_REQUEST, TWO),
        (GOOD_REQUEST, answer(Tensor("entities", "FP32", np.ones(1, np.float32)), binary=False)),
        (GOOD_REQUEST, answer(Tensor("entities", "BYTES", bytes_array([b"no JSON"], (1,))), binary=False)),
        (GOOD_REQUEST, answer(entities([{"type": "PER"}]), binary=False)),
        (GOOD_REQUEST, encode_predictions([[]])),
        (orjson.dumps({"inputs": [{**TEXT, "name": "url"}]}), GOOD_RESPONSE),
        (orjson.dumps({"inputs": [TEXT, TEXT]}), GOOD_RESPONSE),
        (orjson.dumps({"inputs": [{**TEXT, "name": "image"}]}), answer(*classes(), binary=False)),
        (orjson.dumps({"inputs": [{**TEXT, "shape": [2]}]}), GOOD_RESPONSE),
        (V1, GOOD_RESPONSE),
        (V1 + b"}", encode_predictions([[]])),
        (V1, encode_predictions([[], []])),
        (V1, encode_predictions([[{"type": "PER", "text": "x", "start": None, "end": 1, "score": 1}]])),
        (orjson.dumps({"instances": ["x", {"b64": "eA=="}]}), encode_predictions([[], []])),
        (orjson.dumps({"instances": [{"b64": "?"}]}), encode_predictions([{"labels": [], "scores": []}])),
        (orjson.dumps({"instances": [{"url": "x"}]}), encode_predictions([{"labels": [], "scores": []}])),
        (orjson.dumps({"instances": 1}), encode_predictions([])),
        (orjson.dumps({"instances": []}), encode_predictions([])),
        (V1, orjson.dumps({"predictions": {"a": []}})),
        (V1, encode_predictions([{}])),
        (orjson.dumps({"inputs": [{**TEXT, "shape": [0], "data": []}]}), answer(entities(), binary=False)),
        (orjson.dumps({"inputs": [{**TEXT, "shape": [1, 3], "data": ["x"] * 3}]}), THREE),
        (orjson.dumps({"inputs": [{**TEXT, "shape": [], "data": ["x"]}]}), GOOD_RESPONSE),
        (orjson.dumps({"inputs": [TEXT, {**TEXT, "name": "image"}]}), GOOD_RESPONSE),
        (gzip.compress(GOOD_REQUEST)[:-9], GOOD_RESPONSE),
        (b"\x1f\x8bno gzip", GOOD_RESPONSE),
    ],
)
def test_what_is_no_call_of_ours(request_body: bytes, response_body: bytes) -> None:
    with pytest.raises(EventError, match="texts with their entities and images") as raised:
        read_call(pair(request_body, response_body))
    assert raised.value.rejection is Rejection.UNREADABLE


@pytest.mark.parametrize(
    "change",
    [
        {"start": True},
        {"end": 6.0},
        {"start": -1},
        {"start": 6},
        {"score": True},
        {"score": "0.5"},
        {"score": -0.1},
        {"score": 1.5},
        {"score": None},
        {"type": None},
        {"text": 3},
    ],
    ids=str,
)
def test_entities_that_no_model_of_ours_answers(change: dict[str, Any]) -> None:
    found = entities([{**FOUND[0], **change}])
    request = triton_request("text", np.array(["Merkel"], object), "BYTES", binary=False)
    for body in (request, V1):
        response = (
            answer(found, binary=False) if body is request else encode_predictions([[FOUND[0] | change]])
        )
        with pytest.raises(EventError):
            read_call(pair(body, response))


@pytest.mark.parametrize(
    "prediction",
    [
        {"labels": ["cat"], "scores": [0.5, 0.25]},
        {"labels": [], "scores": []},
        {"labels": [1], "scores": [0.5]},
        {"labels": "c", "scores": [0.5]},
        {"labels": ["cat"], "scores": [True]},
        {"labels": ["cat"], "scores": [None]},
        {"labels": ["cat"], "scores": [2]},
    ],
    ids=str,
)
def test_labels_of_v1_that_no_model_of_ours_answers(prediction: dict[str, Any]) -> None:
    request = orjson.dumps({"instances": [{"b64": "eA=="}]})
    with pytest.raises(EventError):
        read_call(pair(request, encode_predictions([prediction])))


LABEL, SCORE, PROBABILITY, EMBEDDING = classes(probability=True)


@pytest.mark.parametrize(
    "tensors",
    [
        [LABEL, Tensor("score", "FP32", np.array([[0.75, 0.2, 0.05]], np.float32))],
        [LABEL, Tensor("score", "FP32", np.array([[1.5, 0.25]], np.float32))],
        [LABEL, Tensor("score", "FP32", np.array([[np.nan, 0.25]], np.float32))],
        [LABEL, Tensor("score", "FP64", np.array([[0.75, 0.25]]))],
        [LABEL, Tensor("score", "FP32", np.array([0.75], np.float32))],
        [Tensor("label", "BYTES", bytes_array([], (1, 0))), Tensor("score", "FP32", np.zeros((1, 0), "f"))],
        [Tensor("label", "BYTES", bytes_array([b"\xff", b"dog"], (1, 2))), SCORE],
        [Tensor("probability", "FP32", np.array([[-0.5, 0.5]], np.float32))],
        [Tensor("embedding", "FP32", np.array([[np.inf, 0.5]], np.float32))],
        [Tensor("logits", "FP32", np.ones((1, 2), np.float32))],
    ],
)
def test_outputs_that_no_model_of_ours_answers(tensors: list[Tensor]) -> None:
    request = triton_request("image", np.array([IMAGE], object), "BYTES", binary=True)
    with pytest.raises(EventError):
        read_call(pair(request, answer(*tensors, binary=True)))


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (1, 3, 0, 5), (1, 4, 4, 5), (3, 4, 5)])
def test_pixels_of_a_shape_that_is_no_image_s(shape: tuple[int, ...]) -> None:
    request = triton_request("pixels", np.zeros(shape, np.float32), "FP32", binary=True)
    with pytest.raises(EventError):
        read_call(pair(request, answer(*classes(), binary=True)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_no_numbers(value: float) -> None:
    pixels = np.full((1, 3, 4, 5), value, np.float32)
    request = triton_request("pixels", pixels, "FP32", binary=True)
    with pytest.raises(EventError):
        read_call(pair(request, answer(*classes(), binary=True)))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes(request_body: bytes, response_body: bytes) -> None:
    with pytest.raises(EventError):
        read_call(pair(request_body, response_body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "datatype", "shape", "data", "parameters", "b64", "type", "score", "labels"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(
    st.sampled_from(["inputs", "instances"]),
    json_values,
    st.sampled_from(["outputs", "predictions"]),
    json_values,
)
def test_any_json_under_the_right_names(asked: str, one: Any, answered: str, other: Any) -> None:
    bodies = [json.dumps(body).encode() for body in ({asked: one}, {answered: other})]
    try:
        call = read_call(pair(*bodies))
    except EventError:
        return
    answers = call.entities if isinstance(call, TextCall) else call.classes
    inputs = call.texts if isinstance(call, TextCall) else call.images
    assert len(answers) == len(inputs)
