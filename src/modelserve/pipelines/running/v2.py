"""V2 calls of pipelines: JSON values to tensors, and tensors to JSON values.

All runners speak JSON here, as an InferenceGraph can carry nothing else; images are base64 in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from math import prod
from typing import Any

from modelserve.errors import InvalidInput, PredictorFailed
from modelserve.pipelines.definition.expressions import Json


def to_v2(inputs: Mapping[str, Json], parameters: Mapping[str, Json]) -> dict[str, Json]:
    """The body of a call.

    Args:
        inputs: by the tensors' names: a text, a number or a boolean, or lists of them as deep as the tensor
            has dimensions. One value alone is a tensor of one.
        parameters: of the call; those that are null are left out.

    Raises:
        InvalidInput: a value is no tensor.
    """
    body: dict[str, Json] = {"inputs": [_tensor(name, value) for name, value in inputs.items()]}
    said = {name: value for name, value in parameters.items() if value is not None}
    for name, value in said.items():
        if not isinstance(value, bool | int | float | str):
            raise InvalidInput(
                f"parameter {name} is {_kind(value)}; a text, a number or a boolean is accepted"
            )
    return {**body, "parameters": said} if said else body


def from_v2(body: Json) -> dict[str, Json]:
    """The outputs of an answer by their names, as lists that are as deep as the tensors have dimensions.

    Raises:
        PredictorFailed: it is no answer in V2's JSON.
    """
    outputs = body.get("outputs") if isinstance(body, Mapping) else None
    if not isinstance(outputs, list):
        raise PredictorFailed("the model's answer has no list of outputs, as V2's JSON has")
    return dict(_output(one) for one in outputs)


def _tensor(name: str, value: Json) -> dict[str, Json]:
    nested = value if isinstance(value, list) else [value]
    shape = _shape(nested)
    flat = list(_leaves(nested, shape, name))
    kinds = set(map(type, flat))
    if kinds <= {str}:
        datatype = "BYTES"
    elif kinds == {bool}:
        datatype = "BOOL"
    elif kinds == {int}:
        datatype = "INT64"
    elif kinds <= {int, float}:
        datatype = "FP32"
    else:
        found = ", ".join(sorted({_kind(one) for one in flat}))
        raise InvalidInput(f"input {name} holds {found}; all texts, all numbers or all booleans are accepted")
    return {"name": name, "shape": shape, "datatype": datatype, "data": flat}


def _shape(value: list[Json]) -> list[int]:
    """The shape by the first item of each list."""
    shape = []
    level: Json = value
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    return shape


def _leaves(value: Json, shape: list[int], name: str) -> Iterator[Json]:
    if not shape:
        if isinstance(value, list | dict) or value is None:
            raise InvalidInput(f"input {name} holds {_kind(value)}; {_ACCEPTED}")
        yield value
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        raise InvalidInput(f"input {name} has lists that differ in length or depth; {_ACCEPTED}")
    for one in value:
        yield from _leaves(one, shape[1:], name)


_ACCEPTED = "texts, numbers or booleans are accepted, in lists of one length where there are lists"


def _output(output: Any) -> tuple[str, Json]:
    try:
        name, shape, data = output["name"], output["shape"], output["data"]
        is_whole = isinstance(name, str) and prod(shape) == len(data)
    except (KeyError, TypeError) as error:
        raise PredictorFailed("an output of the model's answer lacks its name, shape or data") from error
    if not is_whole:
        raise PredictorFailed(f"output {name} of the model's answer has {len(data)} values for shape {shape}")
    return name, _nested(iter(data), shape)


def _nested(values: Iterator[Json], shape: list[int]) -> Json:
    if len(shape) == 1:
        return list(islice(values, shape[0]))
    return [_nested(values, shape[1:]) for _ in range(shape[0])] if shape else next(values)


def _kind(value: Json) -> str:
    kinds = {bool: "a boolean", str: "a text", list: "a list", dict: "an object", type(None): "null"}
    return kinds.get(type(value), "a number")
