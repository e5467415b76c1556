"""V2 over gRPC: typed contents and raw contents, over the messages that KServe generates.

KServe's messages lack two kinds of parameter that Triton's protocol has and its client sends:
``double_param`` and ``uint64_param``. Protobuf keeps them as unknown fields, and they are read and
written as such; without that, a caller's ``min_score`` of 0.9 would be dropped in silence.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.unknown_fields import UnknownFieldSet
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from modelserve.errors import InvalidInput
from modelserve.protocol.binary import decode_raw, encode_raw
from modelserve.protocol.checks import check_inputs, check_shape, label, requested_output
from modelserve.protocol.messages import (
    DTYPES,
    InferenceRequest,
    InferenceResponse,
    Parameters,
    Tensor,
    bytes_array,
    check_datatype,
)

FIELDS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""The typed field of each datatype; FP16 has none."""

_DOUBLE_PARAM, _UINT64_PARAM = 4, 5
_FIXED64, _VARINT = 1, 0
_DOUBLE = struct.Struct("<d")


def decode_request(message: pb.ModelInferRequest) -> InferenceRequest:
    """Read a call.

    Raises:
        InvalidInput: the message contradicts itself; the sentence names the tensor where there is one.
    """
    return InferenceRequest(
        model_name=message.model_name,
        model_version=message.model_version or None,
        id=message.id or None,
        inputs=check_inputs(_inputs(message)),
        outputs=tuple(
            requested_output(output.name, decode_parameters(output.parameters)) for output in message.outputs
        ),
        parameters=decode_parameters(message.parameters),
    )


def encode_response(response: InferenceResponse, *, request_was_raw: bool) -> pb.ModelInferResponse:
    """Write an answer in the form of its request.

    Args:
        response: the answer.
        request_was_raw: whether the request had raw contents; the answer then has them too. It also
            has them where an output is FP16, which has no typed field.
    """
    message = pb.ModelInferResponse(
        model_name=response.model_name,
        model_version=response.model_version or "",
        id=response.id or "",
    )
    for name, value in response.parameters.items():
        message.parameters[name].CopyFrom(encode_parameter(value))
    raw = request_was_raw or any(tensor.datatype not in FIELDS for tensor in response.outputs)
    for tensor in response.outputs:
        output = message.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if raw:
            message.raw_output_contents.append(bytes(encode_raw(tensor)))
        else:
            field = FIELDS[tensor.datatype]
            getattr(output.contents, field).extend(tensor.array.reshape(-1).tolist())
    return message


def decode_parameters(parameters: Mapping[str, pb.InferParameter]) -> Parameters:
    """Read parameters; one without a value is left out."""
    values = {name: _value(parameter) for name, parameter in parameters.items()}
    return {name: value for name, value in values.items() if value is not None}


def _value(parameter: pb.InferParameter) -> bool | int | float | str | None:
    choice = parameter.WhichOneof("parameter_choice")
    if choice is not None:
        known: bool | int | str = getattr(parameter, choice)
        return known
    value: int | float | None = None
    unknown = UnknownFieldSet(parameter)
    for field in (unknown[position] for position in range(len(unknown))):
        if (field.field_number, field.wire_type) == (_DOUBLE_PARAM, _FIXED64):
            value = _DOUBLE.unpack(field.data.to_bytes(8, "little"))[0]
        elif (field.field_number, field.wire_type) == (_UINT64_PARAM, _VARINT):
            value = field.data
    return value


def encode_parameter(value: bool | int | float | str) -> pb.InferParameter:
    """Write a parameter."""
    if isinstance(value, bool):
        return pb.InferParameter(bool_param=value)
    if isinstance(value, int):
        return pb.InferParameter(int64_param=value)
    if isinstance(value, str):
        return pb.InferParameter(string_param=value)
    tag = bytes([_DOUBLE_PARAM << 3 | _FIXED64])
    return pb.InferParameter.FromString(tag + _DOUBLE.pack(value))


def _inputs(message: pb.ModelInferRequest) -> list[Tensor]:
    raw = message.raw_input_contents
    if not raw:
        return [Tensor(item.name, item.datatype, _typed(item)) for item in message.inputs]
    if len(raw) != len(message.inputs):
        raise InvalidInput(
            f"the request has {len(message.inputs)} inputs and {len(raw)} raw contents; "
            "one for each input is accepted"
        )
    tensors = []
    for item, data in zip(message.inputs, raw, strict=True):
        if item.contents.ListFields():
            raise InvalidInput(
                f"{label(item.name)} has typed contents in a request with raw contents; "
                "one of the two forms, for all inputs, is accepted"
            )
        array = decode_raw(item.datatype, list(item.shape), data, name=item.name)
        tensors.append(Tensor(item.name, item.datatype, array))
    return tensors


def _typed(item: Any) -> npt.NDArray[Any]:
    """The array of an input's typed contents."""
    name, datatype = item.name, check_datatype(item.datatype, name=item.name)
    lengths, count = check_shape(list(item.shape), name=name)
    accepted = FIELDS.get(datatype)
    if accepted is None:
        raise InvalidInput(f"{label(name)} of {datatype} has no typed contents; raw contents are accepted")
    for field, _ in item.contents.ListFields():
        if field.name != accepted:
            raise InvalidInput(
                f"{label(name)} of {datatype} has its values in {field.name}; {accepted} is accepted"
            )
    values = getattr(item.contents, accepted)[:]
    if len(values) != count:
        raise InvalidInput(
            f"{label(name)} of shape {list(lengths)} has {len(values)} values in {accepted}; "
            f"exactly {count} are accepted"
        )
    if datatype == "BYTES":
        return bytes_array(values, lengths)
    try:
        return np.array(values, DTYPES[datatype]).reshape(lengths)
    except OverflowError as error:
        limits = np.iinfo(DTYPES[datatype])
        raise InvalidInput(
            f"{label(name)} of {datatype} holds other values; "
            f"integers from {limits.min} to {limits.max} are accepted"
        ) from error
