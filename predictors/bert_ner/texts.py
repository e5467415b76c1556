"""The texts of a call, checked; light, as what stands in front of a predictor checks them alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelserve.errors import InvalidInput, TooLarge
from modelserve.inputs import (
    bytes_items,
    check_count,
    check_names,
    chosen_outputs,
    number_parameter,
    one_of_type,
)
from modelserve.protocol.messages import InferenceRequest, Tensor, TensorSpec, bytes_array
from modelserve.task import Limits

INPUTS = (TensorSpec("text", "BYTES", (-1,)),)
OUTPUTS = (TensorSpec("entities", "BYTES", (-1,)),)


def read_request(request: InferenceRequest, limits: Limits) -> tuple[list[str], float]:
    """Check a V2 request; its texts, and the parameter ``min_score``.

    Raises:
        InvalidInput: a wrong name, datatype, shape or parameter, or text that is no UTF-8.
        TooLarge: too many texts, or one that is too long.
    """
    check_names(request, INPUTS)
    chosen_outputs(request, OUTPUTS, ())
    tensor = request.input("text")
    if tensor is None:
        raise InvalidInput("input 'text' is missing; a BYTES tensor of shape [n] is accepted")
    encoded = bytes_items(tensor, limits_batch=limits.batch)
    min_score = number_parameter(request.parameters, "min_score", default=0.0, least=0.0, most=1.0)
    return [_decode(item, position, limits) for position, item in enumerate(encoded)], min_score


def check_instances(instances: Sequence[Any], limits: Limits) -> Sequence[str]:
    """Check V1 instances, which are strings, and return them.

    Raises:
        InvalidInput: one is something else.
        TooLarge: too many texts, or one that is too long.
    """
    check_count(len(instances), "'instances'", limits_batch=limits.batch)
    for position, instance in enumerate(instances):
        if not isinstance(instance, str):
            raise InvalidInput(f"instance {position} is {one_of_type(instance)}; a string is accepted")
        try:
            size = len(instance.encode())
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"text {position} holds half of a surrogate pair; Unicode text is accepted"
            ) from error
        _check_size(size, position, limits)
    return instances


def text_request(model: str, texts: Sequence[str], **parameters: float) -> InferenceRequest:
    """A request that asks for the entities of texts."""
    encoded = bytes_array([text.encode() for text in texts], (len(texts),))
    return InferenceRequest(model, (Tensor("text", "BYTES", encoded),), parameters=parameters)


def _decode(item: bytes, position: int, limits: Limits) -> str:
    _check_size(len(item), position, limits)
    try:
        return item.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"text {position} is no UTF-8 at byte {error.start}; UTF-8 is accepted") from error


def _check_size(size: int, position: int, limits: Limits) -> None:
    if size > limits.text_bytes:
        raise TooLarge(f"text {position} has {size} bytes; at most {limits.text_bytes} are accepted")
