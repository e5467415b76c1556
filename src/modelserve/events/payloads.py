"""Payloads of logged calls, read by what they are.

What no server of this package takes or answers is told from what one does, so that nothing else is compared
and counted as if it were an answer.
"""

from __future__ import annotations

import binascii
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pybase64

from modelserve.errors import RequestError
from modelserve.events.answers import classification, classifications, entities
from modelserve.events.bodies import parse_body, plain
from modelserve.events.calls import Call, ImageCall, TextCall
from modelserve.events.event import EventError, Rejection
from modelserve.events.joining import Pair
from modelserve.inputs import bytes_items, check_count, check_datatype_of
from modelserve.protocol.checks import check_inputs
from modelserve.protocol.messages import InferenceResponse, Tensor
from modelserve.protocol.rest import RawTensors, named_objects, read_response, read_tensor
from modelserve.protocol.v1 import decode_instances


def read_call(pair: Pair) -> Call:
    """What a call asked and was answered.

    Raises:
        EventError: it is none of this package's models'.
    """
    try:
        request, (answer, raw) = plain(pair.request.body), parse_body(plain(pair.response.body))
        if "predictions" in answer:
            return _read_v1(decode_instances(request), answer["predictions"], pair.seconds)
        return _read_v2(_input(*parse_body(request)), read_response(answer, raw), pair.seconds)
    except (RequestError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise EventError(
            Rejection.UNREADABLE,
            f"the payloads cannot be read ({error!r}); texts with their entities and images with their "
            "labels are accepted, in V1 or V2",
        ) from error


def _input(message: dict[str, Any], raw: RawTensors | None) -> Tensor:
    """The one input of a request: none of these models takes two."""
    (tensor,) = check_inputs([read_tensor(item, raw) for item in named_objects(message, "inputs")])
    if raw is not None and raw.data:
        raise ValueError(f"{len(raw.data)} bytes follow the last tensor")
    return tensor


def _read_v1(instances: Sequence[Any], predictions: Any, seconds: float) -> Call:
    check_count(len(instances), "'instances'", limits_batch=sys.maxsize)
    if not isinstance(predictions, list):
        raise ValueError("the predictions are no list")
    _check_count(instances, predictions)
    if all(isinstance(instance, str) for instance in instances):
        found = [entities(prediction) for prediction in predictions]
        return TextCall(None, None, None, seconds, instances, found)
    images = [_from_base64(instance["b64"]) for instance in instances]
    classes = [classification(one["labels"], one["scores"]) for one in predictions]
    return ImageCall(None, None, None, seconds, images, classes)


def _read_v2(tensor: Tensor, response: InferenceResponse, seconds: float) -> Call:
    told = [response.parameters.get(name) for name in ("revision", "model_digest")]
    revision, digest = (None if value is None else str(value) for value in told)
    about = (response.model_name, revision, digest, seconds)
    if tensor.name == "text":
        texts = [item.decode() for item in bytes_items(tensor, limits_batch=sys.maxsize)]
        answer = response.output("entities")
        if answer is None or answer.datatype != "BYTES" or answer.array.ndim != 1:
            raise ValueError("no output 'entities' of BYTES [n]")
        found = [entities(orjson.loads(one)) for one in answer.array.tolist()]
        _check_count(texts, found)
        return TextCall(*about, texts, found)
    images = _images(tensor)
    return ImageCall(*about, images, classifications(response, len(images)))


def _images(tensor: Tensor) -> list[Any]:
    if tensor.name == "image":
        sent = bytes_items(tensor, limits_batch=sys.maxsize)
        return [_from_base64(item) for item in sent] if tensor.from_json else sent
    if tensor.name != "pixels":
        raise ValueError(f"an input {tensor.name[:40]!r}")
    check_datatype_of(tensor, "FP32")
    pixels = tensor.array
    if pixels.ndim != 4 or pixels.shape[1] != 3 or not pixels.size or not np.isfinite(pixels).all():
        raise ValueError(f"pixels of shape {pixels.shape}, or with values that are not finite")
    return list(pixels)


def _from_base64(text: str | bytes) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("an image that is no base64") from error


def _check_count(inputs: Sequence[Any], answers: Sequence[Any]) -> None:
    if len(inputs) != len(answers):
        raise ValueError(f"{len(inputs)} inputs with {len(answers)} answers")
