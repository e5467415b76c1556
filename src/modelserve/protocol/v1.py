"""KServe's V1 protocol: instances in, predictions or explanations out, all of it JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from modelserve.errors import InvalidInput
from modelserve.protocol.checks import check_parameters
from modelserve.protocol.messages import Parameters

_ACCEPTED = '{"instances": [...]} is accepted'


def decode_instances(body: bytes) -> list[Any]:
    """Read the instances of a call; ``inputs`` is another word for them, as in KServe.

    Raises:
        InvalidInput: the body is no JSON object with a list of instances.
    """
    return _instances(_message(body))


def decode_explain(body: bytes) -> tuple[list[Any], Parameters]:
    """Read the instances and the ``parameters`` of a call of ``:explain``.

    Raises:
        InvalidInput: as of ``decode_instances``, or the parameters are no object of single values.
    """
    message = _message(body)
    return _instances(message), check_parameters(message.get("parameters"), owner="the request")


def _message(body: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"the body is no JSON ({error}); {_ACCEPTED}") from error
    if not isinstance(message, dict):
        raise InvalidInput(f"the body is no JSON object; {_ACCEPTED}")
    return message


def _instances(message: dict[str, Any]) -> list[Any]:
    if "instances" in message and "inputs" in message:
        raise InvalidInput(f"the body has both `instances` and `inputs`; {_ACCEPTED}")
    instances = message.get("instances", message.get("inputs"))
    if not isinstance(instances, list):
        raise InvalidInput(f"the body has no list of instances; {_ACCEPTED}")
    return instances


def encode_predictions(predictions: list[Any]) -> bytes:
    """Write the answer to a call.

    Predictions may hold numpy arrays and scalars. NaN and the infinities become null, as JSON has
    no word for them.
    """
    return _encode({"predictions": predictions})


def encode_explanations(explanations: list[Any]) -> bytes:
    """Write the answer to a call of ``:explain``; values as in ``encode_predictions``."""
    return _encode({"explanations": explanations})


def _encode(message: dict[str, Any]) -> bytes:
    return orjson.dumps(message, default=_as_list, option=orjson.OPT_SERIALIZE_NUMPY)


def _as_list(value: object) -> Any:
    """What orjson asks for where an array is not contiguous or holds objects."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
