"""Raw tensor bytes, as gRPC's raw contents and REST's binary tensor extension carry them.

Numbers are little-endian and row-major, without padding. A BYTES tensor is the elements in
row-major order, each behind its length as four little-endian bytes. See Triton's "Binary Tensor
Data Extension". BF16, which only Triton knows, is no V2 datatype and is not read.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from modelserve.errors import InvalidInput
from modelserve.protocol.checks import check_shape, label
from modelserve.protocol.messages import DTYPES, Tensor, bytes_array, check_datatype

_LENGTH = struct.Struct("<I")


def decode_raw(datatype: str, shape: Any, data: bytes | memoryview, *, name: str) -> npt.NDArray[Any]:
    """Read a tensor from its raw bytes.

    Numbers become a read-only view of ``data``. They are copied only where ``data`` begins at an
    address that their type must not have, because an engine may rely on it: in a REST body that is
    up to the length of the JSON part. A BOOL byte other than 0 and 1 is true.

    Args:
        datatype: the V2 datatype.
        shape: the shape as the caller sent it.
        data: exactly the tensor's bytes.
        name: the input's name, for errors.

    Raises:
        InvalidInput: the datatype is unknown, the shape is no shape, or ``data`` does not have the
            length that they ask for.
    """
    dtype = DTYPES[check_datatype(datatype, name=name)]
    lengths, count = check_shape(shape, name=name)
    if datatype == "BYTES":
        return bytes_array(_split(data, count, name=name), lengths)
    if len(data) != count * dtype.itemsize:
        raise InvalidInput(
            f"{label(name)} of {datatype} and shape {list(lengths)} has {len(data)} bytes of data; "
            f"exactly {count * dtype.itemsize} are accepted"
        )
    if datatype == "BOOL":
        octets = np.frombuffer(data, np.uint8)
        array = octets.view(dtype) if octets.max(initial=0) <= 1 else octets != 0
    else:
        array = np.frombuffer(data, dtype)
    return (array if array.flags.aligned else array.copy()).reshape(lengths)


def encode_raw(tensor: Tensor) -> bytes | memoryview:
    """Write a tensor's raw bytes; numbers that are contiguous are not copied."""
    if tensor.datatype == "BYTES":
        parts: list[bytes] = []
        for value in tensor.array.reshape(-1).tolist():
            parts += (_LENGTH.pack(len(value)), value)
        return b"".join(parts)
    array = np.ascontiguousarray(tensor.array, DTYPES[tensor.datatype])
    return array.reshape(-1).view(np.uint8).data


def _split(data: bytes | memoryview, count: int, *, name: str) -> list[bytes]:
    """Split a BYTES tensor into its elements."""
    size = len(data)
    # Tells a count that cannot be before the loop, whose cost is the count.
    if count * _LENGTH.size > size:
        raise _ends_too_early(count, name=name)
    values, start = [], 0
    for _ in range(count):
        if start + _LENGTH.size > size:
            raise _ends_too_early(count, name=name)
        end = start + _LENGTH.size + _LENGTH.unpack_from(data, start)[0]
        if end > size:
            raise _ends_too_early(count, name=name)
        values.append(bytes(data[start + _LENGTH.size : end]))
        start = end
    if start != size:
        raise InvalidInput(
            f"{label(name)} has {size - start} bytes after its last element; exactly {count} elements, "
            "each behind its length in four bytes, are accepted"
        )
    return values


def _ends_too_early(count: int, *, name: str) -> InvalidInput:
    return InvalidInput(
        f"the data of {label(name)} ends before its last element; exactly {count} elements, "
        "each behind its length in four bytes, are accepted"
    )
