"""From a request to its images, or to what they have to be fetched from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from image_tensors.origins import ImageUrl, Origin, read_url
from modelserve.errors import InvalidInput
from modelserve.images import EncodedImage
from modelserve.inputs import bytes_items, check_count, one_of_type
from modelserve.protocol.messages import Tensor
from modelserve.task import Limits
from resnet_classifier.decoding import read_base64

_KEYS = ("b64", "url")

_ACCEPTED = '{"b64": "<an image in base64>"} or {"url": "<the address of one>"} is accepted'


def read_instances(
    instances: Sequence[Any], limits: Limits, allowed: Collection[Origin]
) -> list[EncodedImage | ImageUrl]:
    """Read V1 instances, each ``{"b64": "..."}`` or ``{"url": "..."}``.

    Raises:
        InvalidInput: an instance of another form, no base64, bytes that are no image, or a URL that is
            not allowed.
        TooLarge: too many images, or one of too many bytes or pixels.
    """
    check_count(len(instances), "'instances'", limits_batch=limits.batch)
    for position, instance in enumerate(instances):
        _check_form(instance, position)
    return [
        read_base64(instance["b64"].encode("utf-8", "replace"), position, limits)
        if "b64" in instance
        else _read_url(instance["url"], position, allowed)
        for position, instance in enumerate(instances)
    ]


def _check_form(instance: Any, position: int) -> None:
    if not isinstance(instance, dict):
        found = one_of_type(instance)
    elif len(instance) != 1 or not instance.keys() <= set(_KEYS):
        found = "an object with other keys"
    else:
        ((key, value),) = instance.items()
        if isinstance(value, str):
            return
        found = f"an object whose {key} is {one_of_type(value)}"
    raise InvalidInput(f"instance {position} is {found}; {_ACCEPTED}")


def read_urls(tensor: Tensor, limits: Limits, allowed: Collection[Origin]) -> list[EncodedImage | ImageUrl]:
    """Read the URLs of a BYTES tensor.

    Raises:
        InvalidInput: a wrong datatype or shape, or a URL that is not allowed.
        TooLarge: too many.
    """
    items = bytes_items(tensor, limits_batch=limits.batch)
    # What is no UTF-8 is no URL either, and is told so.
    return [
        _read_url(item.decode("utf-8", "replace"), position, allowed) for position, item in enumerate(items)
    ]


def _read_url(text: str, position: int, allowed: Collection[Origin]) -> ImageUrl:
    try:
        return read_url(text, allowed)
    except InvalidInput as error:
        raise InvalidInput(f"image {position}: {error}") from error
