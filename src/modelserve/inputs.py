"""What every task checks in a request: names, shapes, counts and parameters.

Kept in one place so that all models refuse the same mistake with the same sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from modelserve.errors import InvalidInput, TooLarge
from modelserve.protocol.messages import InferenceRequest, Parameters, Tensor, TensorSpec

_SHOWN = 40
"""Characters of a caller's own words that an error repeats."""


def check_names(request: InferenceRequest, accepted: Sequence[TensorSpec]) -> None:
    """Refuse inputs that the model does not have, or that come twice.

    Raises:
        InvalidInput: there is such an input.
    """
    names = [tensor.name for tensor in request.inputs]
    for position, name in enumerate(names):
        if all(name != spec.name for spec in accepted):
            raise InvalidInput(f"input {name[:_SHOWN]!r} is unknown; {_listed(accepted)} accepted")
        if name in names[:position]:
            raise InvalidInput(f"input {name!r} is given twice; each input is accepted once")


def chosen_outputs(
    request: InferenceRequest, specs: Sequence[TensorSpec], defaults: Sequence[str]
) -> tuple[str, ...]:
    """The names of the outputs to answer with: those asked for, in that order, or the defaults.

    Raises:
        InvalidInput: one is asked for that the model does not have.
    """
    for output in request.outputs:
        if all(output.name != spec.name for spec in specs):
            raise InvalidInput(f"output {output.name[:_SHOWN]!r} is unknown; {_listed(specs)} accepted")
    asked = tuple(dict.fromkeys(output.name for output in request.outputs))
    return asked or tuple(defaults)


def bytes_items(tensor: Tensor, *, limits_batch: int) -> list[bytes]:
    """Take the byte strings out of a BYTES tensor of shape [n] or [n, 1].

    Clients written for Triton keep a batch axis and send [n, 1]; both stand for n items, and the
    outputs have the same shapes for both.

    Raises:
        InvalidInput: another datatype or shape, or nothing in it.
        TooLarge: more than ``limits_batch`` items.
    """
    check_datatype_of(tensor, "BYTES")
    if not (len(tensor.shape) == 1 or (len(tensor.shape) == 2 and tensor.shape[1] == 1)):
        raise InvalidInput(f"input {tensor.name!r} has shape {list(tensor.shape)}; [n] or [n, 1] is accepted")
    check_count(len(tensor.array), f"input {tensor.name!r}", limits_batch=limits_batch)
    items: list[bytes] = tensor.array.reshape(-1).tolist()
    return items


def check_datatype_of(tensor: Tensor, datatype: str) -> None:
    """Refuse a tensor of another datatype.

    Raises:
        InvalidInput: it has another one.
    """
    if tensor.datatype != datatype:
        raise InvalidInput(f"input {tensor.name!r} has datatype {tensor.datatype}; {datatype} is accepted")


def check_count(count: int, what: str, *, limits_batch: int) -> None:
    """Refuse a call of no items, or of too many.

    Args:
        count: items of the call.
        what: that holds them, as the error names it.
        limits_batch: most items of one call.

    Raises:
        InvalidInput: none.
        TooLarge: more than ``limits_batch``.
    """
    if count == 0:
        raise InvalidInput(f"{what} holds no items; at least one is accepted")
    if count > limits_batch:
        raise TooLarge(f"{what} holds {count} items; at most {limits_batch} are accepted")


def number_parameter(
    parameters: Parameters, name: str, *, default: float, least: float, most: float
) -> float:
    """A parameter that is a number; unknown ones are ignored, as proxies and clients add their own.

    Raises:
        InvalidInput: it is no number, or outside of [least, most].
    """
    value = parameters.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise InvalidInput(
            f"parameter {name!r} is {_shown(value)}; a number from {least:g} to {most:g} is accepted"
        )
    return float(value)


def integer_parameter(parameters: Parameters, name: str, *, default: int, least: int, most: int) -> int:
    """A parameter that is an integer.

    Raises:
        InvalidInput: it is no integer, or outside of [least, most].
    """
    value = parameters.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(
            f"parameter {name!r} is {_shown(value)}; an integer from {least} to {most} is accepted"
        )
    return value


def one_of_type(instance: Any) -> str:
    """Name a JSON value's type as its sender would, for an error."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(instance), "a number")


def _shown(value: object) -> str:
    return repr(value)[:_SHOWN]


def _listed(specs: Collection[TensorSpec]) -> str:
    names = [repr(spec.name) for spec in specs]
    if len(names) == 1:
        return f"{names[0]} is"
    return f"{', '.join(names[:-1])} and {names[-1]} are"
