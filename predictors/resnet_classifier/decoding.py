"""From a request to images: what a caller may send, checked before anything is computed."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pybase64

from modelserve.errors import InvalidInput, RequestError, TooLarge
from modelserve.images import EncodedImage, open_image
from modelserve.inputs import bytes_items, check_count, check_datatype_of, one_of_type
from modelserve.protocol.messages import Tensor, TensorSpec
from modelserve.task import Limits

INPUTS = (TensorSpec("image", "BYTES", (-1,)), TensorSpec("pixels", "FP32", (-1, 3, -1, -1)))

LEAST_SIDE = 32
"""A ResNet halves its input five times; below 32 pixels nothing but its borders is left."""


def read_images(tensor: Tensor, limits: Limits) -> list[EncodedImage]:
    """Open the images of a BYTES tensor; base64 where they came in JSON.

    Raises:
        InvalidInput: a wrong datatype or shape, no base64, or bytes that are no image.
        TooLarge: too many images, or one of too many bytes or pixels.
    """
    items = bytes_items(tensor, limits_batch=limits.batch)
    read = read_base64 if tensor.from_json else read_bytes
    return [read(item, position, limits) for position, item in enumerate(items)]


def read_instances(instances: Sequence[Any], limits: Limits) -> list[EncodedImage]:
    """Open the images of V1 instances, each ``{"b64": "..."}``.

    Raises:
        InvalidInput: an instance of another form, no base64, or bytes that are no image.
        TooLarge: too many images, or one of too many bytes or pixels.
    """
    check_count(len(instances), "'instances'", limits_batch=limits.batch)
    for position, instance in enumerate(instances):
        if not isinstance(instance, dict):
            found = one_of_type(instance)
        elif instance.keys() != {"b64"}:
            found = "an object with other keys"
        elif not isinstance(instance["b64"], str):
            found = f"an object whose b64 is {one_of_type(instance['b64'])}"
        else:
            continue
        raise InvalidInput(f'instance {position} is {found}; {{"b64": "<an image in base64>"}} is accepted')
    return [
        read_base64(instance["b64"].encode("utf-8", "replace"), position, limits)
        for position, instance in enumerate(instances)
    ]


def read_base64(text: bytes, position: int, limits: Limits) -> EncodedImage:
    """Open one image in standard base64 with its padding and without line breaks.

    Raises:
        InvalidInput: it is no such base64, or no image.
        TooLarge: it has too many bytes or pixels.
    """
    if text.startswith(b"data:"):
        raise InvalidInput(f"image {position} is a data: URL; the base64 behind its comma is accepted")
    _check_size(len(text) // 4 * 3 - text[-2:].count(b"="), position, limits)
    try:
        data = pybase64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InvalidInput(
            f"image {position} is no base64; "
            "standard base64 (RFC 4648, section 4) with padding and without line breaks is accepted"
        ) from error
    return read_bytes(data, position, limits)


def read_bytes(data: bytes, position: int, limits: Limits) -> EncodedImage:
    """Open one encoded image; its pixels are not decoded yet.

    Raises:
        InvalidInput: it is no image.
        TooLarge: it has too many bytes or pixels.
    """
    _check_size(len(data), position, limits)
    try:
        return open_image(data, max_pixels=limits.image_pixels)
    except RequestError as error:
        raise type(error)(f"image {position}: {error}") from error


def _check_size(size: int, position: int, limits: Limits) -> None:
    if size > limits.image_bytes:
        raise TooLarge(f"image {position} has {size} bytes; at most {limits.image_bytes} are accepted")


def read_pixels(tensor: Tensor, limits: Limits) -> npt.NDArray[np.float32]:
    """Take normalised images out of an FP32 tensor, [n, 3, height, width].

    Raises:
        InvalidInput: a wrong datatype or shape, or a value that is no finite number.
        TooLarge: too many images, or too many pixels in each.
    """
    check_datatype_of(tensor, "FP32")
    shape = tensor.shape
    if len(shape) != 4 or shape[1] != 3 or min(shape[2:]) < LEAST_SIDE:
        raise InvalidInput(
            f"input {tensor.name!r} has shape {list(shape)}; [n, 3, height, width] is accepted, "
            f"height and width at least {LEAST_SIDE}"
        )
    check_count(shape[0], f"input {tensor.name!r}", limits_batch=limits.batch)
    if shape[2] * shape[3] > limits.image_pixels:
        raise TooLarge(
            f"input {tensor.name!r} has {shape[2]} x {shape[3]} pixels; "
            f"at most {limits.image_pixels} pixels are accepted"
        )
    finite = np.isfinite(tensor.array).all(axis=(1, 2, 3))
    if not finite.all():
        raise InvalidInput(
            f"image {int(finite.argmin())} of input {tensor.name!r} holds NaN or infinity; "
            "finite numbers are accepted"
        )
    return tensor.array
