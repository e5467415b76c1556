"""The texts of a request, checked in the same way and with the same sentences as the predictor's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelserve.errors import InvalidInput, TooLarge
from modelserve.inputs import bytes_items, check_count, one_of_type
from modelserve.protocol.messages import InferenceRequest
from modelserve.task import Limits


def read_texts(request: InferenceRequest, limits: Limits) -> list[str]:
    """Read the texts of a V2 request's input ``text``.

    Raises:
        InvalidInput: there is no such input, it has a wrong datatype or shape, or a text is no UTF-8.
        TooLarge: too many texts, or one that is too long.
    """
    tensor = request.input("text")
    if tensor is None:
        raise InvalidInput("input 'text' is missing; a BYTES tensor of shape [n] is accepted")
    items = bytes_items(tensor, limits_batch=limits.batch)
    return [_decode(item, position, limits) for position, item in enumerate(items)]


def read_instances(instances: Sequence[Any], limits: Limits) -> list[str]:
    """Read V1 instances, which are strings.

    Raises:
        InvalidInput: one is something else.
        TooLarge: too many texts, or one that is too long.
    """
    check_count(len(instances), "'instances'", limits_batch=limits.batch)
    return [_check(instance, position, limits) for position, instance in enumerate(instances)]


def _decode(item: bytes, position: int, limits: Limits) -> str:
    _check_size(len(item), position, limits)
    try:
        return item.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"text {position} is no UTF-8 at byte {error.start}; UTF-8 is accepted") from error


def _check(instance: Any, position: int, limits: Limits) -> str:
    if not isinstance(instance, str):
        raise InvalidInput(f"instance {position} is {one_of_type(instance)}; a string is accepted")
    try:
        size = len(instance.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"text {position} holds half of a surrogate pair; Unicode text is accepted"
        ) from error
    _check_size(size, position, limits)
    return instance


def _check_size(size: int, position: int, limits: Limits) -> None:
    if size > limits.text_bytes:
        raise TooLarge(f"text {position} has {size} bytes; at most {limits.text_bytes} are accepted")
