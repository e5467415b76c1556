"""Tensor values as Python lists, the form of JSON: the only place that goes through lists.

numpy's own conversion is too kind for an interface: it takes a string, a boolean and null for a
number, and cuts 1.5 to 1. ``array.array`` refuses all of these but booleans, and numbers that are
out of range, at the same cost.
"""

from __future__ import annotations

import base64
from array import array
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from modelserve.errors import InvalidInput
from modelserve.protocol.checks import check_shape, label
from modelserve.protocol.messages import DTYPES, Parameters, Tensor, bytes_array, check_datatype

_TYPECODES = {
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "d",
    "FP32": "d",
    "FP64": "d",
}
"""The ``array.array`` that takes a datatype's values; a float is narrowed after."""


def decode_values(datatype: str, shape: Any, data: Any, *, name: str) -> npt.NDArray[Any]:
    """Make an array of a tensor's values, in row-major order, flat or nested as the shape is.

    A string in a BYTES tensor becomes its UTF-8 bytes; whether these are base64 of something else
    is for the model to know.

    Args:
        datatype: the V2 datatype.
        shape: the shape as the caller sent it.
        data: the values as the caller sent them.
        name: the input's name, for errors.

    Raises:
        InvalidInput: the datatype is unknown, the shape is no shape, or the values do not fit them.
    """
    dtype = DTYPES[check_datatype(datatype, name=name)]
    lengths, count = check_shape(shape, name=name)
    values = _flatten(data, lengths, count, name=name)
    if datatype == "BYTES":
        if not set(map(type, values)) <= {str, bytes}:
            raise _unfit(datatype, name=name)
        return bytes_array([v.encode() if isinstance(v, str) else v for v in values], lengths)
    if datatype == "BOOL":
        if not set(map(type, values)) <= {bool}:
            raise _unfit(datatype, name=name)
        return np.array(values, dtype).reshape(lengths)
    try:
        numbers = np.asarray(array(_TYPECODES[datatype], values))
        with np.errstate(over="raise"):
            narrowed = numbers.astype(dtype, copy=False)
    except (TypeError, OverflowError, FloatingPointError) as error:
        raise _unfit(datatype, name=name) from error
    # A boolean has become 0 or 1: where there are none of these, the list need not be searched.
    if ((numbers == 0) | (numbers == 1)).any() and bool in map(type, values):
        raise _unfit(datatype, name=name)
    return narrowed.reshape(lengths)


def encode_values(tensor: Tensor) -> tuple[Any, Parameters]:
    """The values of an output for orjson, flat and in row-major order, and what tells their form.

    NaN and the infinities become null, as JSON has no word for them. Elements of a BYTES tensor are
    written as text; where one of them is no UTF-8, all of that tensor are base64, and the
    parameter ``content_type`` with the value ``base64`` says so.
    """
    if tensor.datatype != "BYTES":
        return np.ascontiguousarray(tensor.array, DTYPES[tensor.datatype]).reshape(-1), {}
    values: list[bytes] = tensor.array.reshape(-1).tolist()
    try:
        return [value.decode() for value in values], {}
    except UnicodeDecodeError:
        return [base64.b64encode(value).decode() for value in values], {"content_type": "base64"}


def _flatten(data: Any, lengths: tuple[int, ...], count: int, *, name: str) -> list[Any]:
    if not isinstance(data, list):
        raise InvalidInput(f"the data of {label(name)} is no list; a list of values is accepted")
    flat = data
    if data and isinstance(data[0], list):
        if len(lengths) < 2 or len(data) != lengths[0]:
            raise _misshapen(lengths, count, name=name)
        # Each round removes one level, so that depth costs no recursion.
        for length in lengths[1:]:
            if any(not isinstance(row, list) or len(row) != length for row in flat):
                raise _misshapen(lengths, count, name=name)
            flat = list(chain.from_iterable(flat))
    if len(flat) != count:
        raise _misshapen(lengths, count, name=name)
    return flat


def _misshapen(lengths: tuple[int, ...], count: int, *, name: str) -> InvalidInput:
    return InvalidInput(
        f"the data of {label(name)} does not have its shape {list(lengths)}; "
        f"a flat list of {count} values, or lists nested as the shape is, are accepted"
    )


def _unfit(datatype: str, *, name: str) -> InvalidInput:
    dtype = DTYPES[datatype]
    if dtype.kind == "O":
        accepted = "strings"
    elif dtype.kind == "b":
        accepted = "true and false"
    elif dtype.kind == "f":
        accepted = f"numbers from {np.finfo(dtype).min} to {np.finfo(dtype).max}"
    else:
        accepted = f"integers from {np.iinfo(dtype).min} to {np.iinfo(dtype).max}"
    return InvalidInput(f"{label(name)} of {datatype} holds other values; {accepted} are accepted")
