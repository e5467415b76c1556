"""The caller's side of V2: requests to bytes, and bytes to answers, for a predictor that is asked.

Tensors are sent raw: the binary extension over REST, raw contents over gRPC. An answer is read in
whichever form it comes, as KServe's own server writes JSON and typed contents where it can.
"""

from __future__ import annotations

from typing import Any

import orjson
from google.protobuf.message import DecodeError
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from modelserve.errors import InvalidInput, PredictorFailed
from modelserve.protocol.binary import encode_raw
from modelserve.protocol.grpc import decode_parameters, decode_request, encode_parameter
from modelserve.protocol.messages import InferenceRequest, InferenceResponse
from modelserve.protocol.rest import RawTensors, parse_object, read_response


def encode_rest_request(request: InferenceRequest) -> tuple[bytes, int]:
    """Write the body of a call; also the length of its JSON part in bytes.

    The model's name and version are for the path. Every output is asked for raw.
    """
    raw = [encode_raw(tensor) for tensor in request.inputs]
    message: dict[str, Any] = {
        "inputs": [
            {
                "name": tensor.name,
                "datatype": tensor.datatype,
                "shape": tensor.shape,
                "parameters": {"binary_data_size": len(data)},
            }
            for tensor, data in zip(request.inputs, raw, strict=True)
        ],
        "parameters": {**request.parameters, "binary_data_output": True},
    }
    if request.outputs:
        message["outputs"] = [{"name": output.name} for output in request.outputs]
    if request.id is not None:
        message["id"] = request.id
    header = orjson.dumps(message)
    return b"".join([header, *raw]), len(header)


def decode_rest_response(body: bytes, header_length: int | None) -> InferenceResponse:
    """Read the body of an answer.

    Args:
        body: the whole body.
        header_length: ``Inference-Header-Content-Length``, or None where all of the body is JSON.

    Raises:
        PredictorFailed: it is no answer in V2.
    """
    view = memoryview(body)
    raw = None if header_length is None else RawTensors(view[header_length:])
    try:
        return read_response(parse_object(view[:header_length]), raw)
    except InvalidInput as error:
        raise _unreadable(error) from error


def encode_grpc_request(request: InferenceRequest) -> bytes:
    """Write a ``ModelInferRequest`` with raw contents.

    Raises:
        InvalidInput: an integer parameter has more than 64 bits, which JSON has room for and gRPC has not.
    """
    message = pb.ModelInferRequest(
        model_name=request.model_name, model_version=request.model_version or "", id=request.id or ""
    )
    for name, value in request.parameters.items():
        try:
            message.parameters[name].CopyFrom(encode_parameter(value))
        except ValueError as error:
            raise InvalidInput(
                f"parameter {name!r} is {str(value)[:40]}; an integer of 64 bits, with its sign, is accepted"
            ) from error
    for tensor in request.inputs:
        message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        message.raw_input_contents.append(bytes(encode_raw(tensor)))
    for output in request.outputs:
        message.outputs.add(name=output.name)
    data: bytes = message.SerializeToString()
    return data


def decode_grpc_response(data: bytes) -> InferenceResponse:
    """Read a ``ModelInferResponse`` with raw or typed contents.

    Raises:
        PredictorFailed: it is none, or contradicts itself.
    """
    try:
        message = pb.ModelInferResponse.FromString(data)
        # On the wire an output has the form of an input, so that one reader is enough for both.
        as_input = pb.ModelInferRequest.InferInputTensor.FromString
        outputs = decode_request(
            pb.ModelInferRequest(
                inputs=[as_input(output.SerializeToString()) for output in message.outputs],
                raw_input_contents=message.raw_output_contents,
            )
        ).inputs
    except (DecodeError, InvalidInput) as error:
        raise _unreadable(error) from error
    return InferenceResponse(
        model_name=message.model_name,
        model_version=message.model_version or None,
        id=message.id or None,
        outputs=outputs,
        parameters=decode_parameters(message.parameters),
    )


def _unreadable(error: Exception) -> PredictorFailed:
    """What is wrong is told as it would be of a request: the two are read by the same code."""
    return PredictorFailed(f"the predictor's answer cannot be read ({error})")
