"""What every wire form checks in a request before it touches a tensor's values.

Kept apart from the wire forms so that REST, gRPC and KServe's own objects refuse the same mistake
with the same sentence, which names the tensor.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modelserve.errors import InvalidInput
from modelserve.protocol.messages import Parameters, RequestedOutput, Tensor

MAX_RANK = 32
"""The most axes of a tensor, as in numpy before its version 2."""

MAX_ELEMENTS = 2**40
"""The most elements that a shape may stand for, axes of length zero left out; beyond any body."""

_SHOWN = 40
"""Characters of a caller's own words that an error repeats."""

_UNSUPPORTED = {
    "shared_memory_region": "shared memory",
    "classification": "Triton's classification extension",
}


def label(name: str) -> str:
    """How an error names an input."""
    return f"input {name[:_SHOWN]!r}"


def check_shape(shape: Any, *, name: str) -> tuple[tuple[int, ...], int]:
    """Return the shape of the input ``name`` and the number of its elements; allocates nothing.

    Raises:
        InvalidInput: it is no list of non-negative integers, or one that no tensor can have.
    """
    lengths = tuple(shape) if isinstance(shape, (list, tuple)) else None
    if lengths is None or any(type(length) is not int or length < 0 for length in lengths):
        raise InvalidInput(
            f"{label(name)} has the shape {reprlib.repr(shape)[:_SHOWN]}; "
            "a list of integers that are not negative is accepted"
        )
    if len(lengths) > MAX_RANK or math.prod(length or 1 for length in lengths) > MAX_ELEMENTS:
        raise InvalidInput(
            f"{label(name)} has a shape of {len(lengths)} axes that is too large; "
            f"at most {MAX_RANK} axes and {MAX_ELEMENTS} elements are accepted"
        )
    return lengths, math.prod(lengths)


def check_parameters(parameters: Any, *, owner: str) -> Parameters:
    """Return parameters without those that are null; None stands for no parameters.

    Args:
        parameters: as the caller sent them.
        owner: whose they are, for the error.

    Raises:
        InvalidInput: they are no mapping, or a value is not a boolean, a number or a string.
    """
    if parameters is None:
        return {}
    if not isinstance(parameters, Mapping):
        raise InvalidInput(f"the parameters of {owner} are not an object; an object is accepted")
    for name, value in parameters.items():
        if value is not None and not isinstance(value, (bool, int, float, str)):
            raise InvalidInput(
                f"parameter {name[:_SHOWN]!r} of {owner} is no single value; "
                "a boolean, a number or a string is accepted"
            )
    return {name: value for name, value in parameters.items() if value is not None}


def flag(parameters: Parameters, name: str, *, owner: str) -> bool | None:
    """The parameter ``name`` as true or false; None where it is not given.

    Raises:
        InvalidInput: it is something else.
    """
    value = parameters.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise InvalidInput(f"parameter {name!r} of {owner} is {str(value)[:_SHOWN]!r}; true or false is accepted")


def requested_output(name: str, parameters: Any) -> RequestedOutput:
    """An output that the caller asks for, in the form it asks for.

    Raises:
        InvalidInput: a parameter is wrong, or asks for what this package does not do.
    """
    owner = f"output {name[:_SHOWN]!r}"
    checked = check_parameters(parameters, owner=owner)
    for unsupported, meaning in _UNSUPPORTED.items():
        if unsupported in checked:
            raise InvalidInput(f"{owner} asks for {meaning}; only plain outputs are accepted")
    return RequestedOutput(name, flag(checked, "binary_data", owner=owner))


def check_inputs(inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the inputs of a request if there are any, each with a name of its own.

    Raises:
        InvalidInput: there are none, or two have the same name.
    """
    if not inputs:
        raise InvalidInput("the request has no inputs; at least one is accepted")
    repeated = _first_repeated(tensor.name for tensor in inputs)
    if repeated is not None:
        raise InvalidInput(f"{label(repeated)} is given twice; each input is accepted once")
    return tuple(inputs)


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
