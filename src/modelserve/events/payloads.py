"""Payloads of logged calls, read by what they are.

The log has the bodies as they were sent, and none of their headers: neither the length of a V2 body's JSON
part nor, of the answer, the content type (KServe 0.20.0 repeats the request's).
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pybase64

from modelserve.errors import InvalidInput
from modelserve.events.calls import Call, Classification, Entity, ImageCall, TextCall
from modelserve.events.event import EventError, Rejection
from modelserve.events.joining import Pair
from modelserve.protocol.checks import check_inputs
from modelserve.protocol.messages import InferenceResponse, Tensor
from modelserve.protocol.rest import RawTensors, named_objects, read_response, read_tensor
from modelserve.protocol.v1 import decode_instances

_FIRST_LOOK = 64 * 1024
"""Bytes in which the JSON part of nearly every binary body ends."""


def read_call(pair: Pair) -> Call:
    """What a call asked and was answered.

    Raises:
        EventError: it is none of this package's models'.
    """
    try:
        message, raw = _parse(pair.request.body)
        if "instances" in message:
            return _read_v1(pair)
        inputs = _inputs(message, raw)
        return _read_v2(inputs, read_response(*_parse(pair.response.body)), pair.seconds)
    except (InvalidInput, KeyError, OverflowError, TypeError, ValueError) as error:
        raise EventError(
            Rejection.UNREADABLE,
            f"the payloads cannot be read ({error!r}); texts with their entities and images with their "
            "labels are accepted, in V1 or V2",
        ) from error


def json_length(body: bytes) -> int | None:
    """How long the JSON part of a V2 body is in bytes; None where it is JSON as a whole.

    Raises:
        InvalidInput: it does not begin with JSON.
    """
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return _json_end(body)[1]
    return None


def _parse(body: bytes) -> tuple[dict[str, Any], RawTensors | None]:
    """The JSON part of a body and the raw tensors that follow it, None where nothing does."""
    try:
        message, raw = orjson.loads(body), None
    except orjson.JSONDecodeError:
        message, end = _json_end(body)
        raw = RawTensors(memoryview(body)[end:])
    if not isinstance(message, dict):
        raise InvalidInput("a payload is no JSON object")
    return message, raw


def _json_end(body: bytes) -> tuple[Any, int]:
    """The JSON value that a body begins with, and where it ends."""
    size = _FIRST_LOOK
    while True:
        # A byte is a character here, so that places are the same; what JSON is made of is ASCII.
        prefix = body[:size].decode("latin-1")
        try:
            _, end = json.JSONDecoder().raw_decode(prefix)
            return orjson.loads(body[:end]), end
        except (ValueError, RecursionError) as error:
            if size >= len(body):
                raise InvalidInput("a payload does not begin with JSON") from error
        size *= 8


def _inputs(message: dict[str, Any], raw: RawTensors | None) -> dict[str, Tensor]:
    tensors = check_inputs([read_tensor(item, raw) for item in named_objects(message, "inputs")])
    if raw is not None and raw.data:
        raise InvalidInput(f"{len(raw.data)} bytes follow the last tensor")
    return {tensor.name: tensor for tensor in tensors}


def _read_v1(pair: Pair) -> Call:
    instances = decode_instances(pair.request.body)
    predictions = orjson.loads(pair.response.body)["predictions"]
    _check_count(instances, predictions)
    if all(isinstance(instance, str) for instance in instances):
        found = [_entities(prediction) for prediction in predictions]
        return TextCall(None, None, None, pair.seconds, instances, found)
    images = [_from_base64(instance["b64"]) for instance in instances]
    classes = [Classification(_labels(one["labels"]), _scores(one["scores"])) for one in predictions]
    return ImageCall(None, None, None, pair.seconds, images, classes)


def _read_v2(inputs: dict[str, Tensor], response: InferenceResponse, seconds: float) -> Call:
    told = [response.parameters.get(name) for name in ("revision", "model_digest")]
    revision, digest = (None if value is None else str(value) for value in told)
    about = (response.model_name, revision, digest, seconds)
    if "text" in inputs:
        texts = [item.decode() for item in _items(inputs["text"])]
        entities = response.output("entities")
        found = [] if entities is None else [_entities(orjson.loads(one)) for one in _items(entities)]
        _check_count(texts, found)
        return TextCall(*about, texts, found)
    if "image" in inputs:
        sent = _items(inputs["image"])
        images = [_from_base64(item) for item in sent] if inputs["image"].from_json else sent
    else:
        pixels = inputs["pixels"].array
        if inputs["pixels"].datatype != "FP32" or pixels.ndim != 4 or pixels.shape[1] != 3:
            raise ValueError(f"pixels of shape {pixels.shape}")
        images = list(pixels)
    classes = _classes(response, len(images))
    return ImageCall(*about, images, classes)


def _classes(response: InferenceResponse, count: int) -> list[Classification]:
    """What each image was taken for; callers may have chosen other outputs."""
    labels, scores, probability, embedding = (
        _rows(response.output(name), count) for name in ("label", "score", "probability", "embedding")
    )
    return [
        Classification(
            () if labels is None else [label.decode() for label in labels[place].tolist()],
            () if scores is None else scores[place].tolist(),
            None if probability is None else probability[place],
            None if embedding is None else embedding[place],
        )
        for place in range(count)
    ]


def _rows(tensor: Tensor | None, count: int) -> Any:
    """The array of an output, with a row for each image."""
    if tensor is None:
        return None
    expected = "BYTES" if tensor.name == "label" else "FP32"
    if tensor.datatype != expected or tensor.array.ndim != 2 or len(tensor.array) != count:
        raise ValueError(f"{tensor.name} of {tensor.datatype} {tensor.shape} for {count} images")
    if expected == "FP32" and not np.isfinite(tensor.array).all():
        raise ValueError(f"{tensor.name} with values that are not finite")
    return tensor.array


def _items(tensor: Tensor) -> list[bytes]:
    if tensor.datatype != "BYTES":
        raise ValueError(f"{tensor.name} of {tensor.datatype}")
    items: list[bytes] = tensor.array.reshape(-1).tolist()
    return items


def _entities(found: Sequence[Any]) -> list[Entity]:
    return [
        Entity(str(one["type"]), str(one["text"]), int(one["start"]), int(one["end"]), float(one["score"]))
        for one in found
    ]


def _labels(labels: Sequence[Any]) -> list[str]:
    return [str(label) for label in labels]


def _scores(scores: Sequence[Any]) -> list[float]:
    return [float(score) for score in scores]


def _from_base64(text: str | bytes) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("an image that is no base64") from error


def _check_count(inputs: Sequence[Any], answers: Sequence[Any]) -> None:
    if len(inputs) != len(answers):
        raise ValueError(f"{len(inputs)} inputs with {len(answers)} answers")
