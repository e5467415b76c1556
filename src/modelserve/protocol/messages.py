"""The values that every wire form decodes to and encodes from.

A tensor is a numpy array whatever its datatype, so that nothing between the socket and the engine
goes through Python lists. BYTES tensors are object arrays of ``bytes``.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from modelserve.errors import InvalidInput

Parameters = Mapping[str, bool | int | float | str]

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(object),
}
"""Every V2 datatype and the numpy type that holds it, little-endian as on the wire."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named tensor; ``array`` has the tensor's shape and the dtype that ``DTYPES`` gives.

    ``from_json`` tells that the values were JSON: bytes which are no text, such as an image, are
    then base64, for which JSON has no other room.
    """

    name: str
    datatype: str
    array: npt.NDArray[Any]
    from_json: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, outermost first."""
        return self.array.shape


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """An output that the caller asks for; ``binary`` is None where the caller did not say."""

    name: str
    binary: bool | None = None


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """One inference call, whatever it arrived by.

    ``outputs`` is empty where the caller wants the model's default outputs; ``binary_output`` is
    the default form of an output over REST.
    """

    model_name: str
    inputs: tuple[Tensor, ...]
    model_version: str | None = None
    id: str | None = None
    outputs: tuple[RequestedOutput, ...] = ()
    parameters: Parameters = field(default_factory=dict)
    binary_output: bool = False

    def input(self, name: str) -> Tensor | None:
        """The input of that name, or None."""
        return _named(self.inputs, name)


@dataclass(frozen=True, slots=True)
class InferenceResponse:
    """The answer to one inference call."""

    model_name: str
    outputs: tuple[Tensor, ...]
    model_version: str | None = None
    id: str | None = None
    parameters: Parameters = field(default_factory=dict)

    def output(self, name: str) -> Tensor | None:
        """The output of that name, or None."""
        return _named(self.outputs, name)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output as the model's metadata tells it; -1 stands for any length."""

    name: str
    datatype: str
    shape: tuple[int, ...]


def _named(tensors: tuple[Tensor, ...], name: str) -> Tensor | None:
    return next((tensor for tensor in tensors if tensor.name == name), None)


def check_datatype(datatype: object, *, name: str) -> str:
    """Return the datatype of the input ``name`` if V2 knows it.

    Raises:
        InvalidInput: it is none of V2's.
    """
    if isinstance(datatype, str) and datatype in DTYPES:
        return datatype
    raise InvalidInput(
        f"input {name[:40]!r} has the unknown datatype {reprlib.repr(datatype)[:40]}; "
        f"one of {', '.join(DTYPES)} is accepted"
    )


def bytes_array(values: list[bytes], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Put byte strings into an object array of that shape, without numpy looking inside them."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)
