"""The caller's side of V2: requests to bytes, and answers to tensors, for a predictor that is asked.

Tensors travel raw in both directions: the binary extension over REST, raw contents over gRPC.
"""

from __future__ import annotations

from typing import Any

import orjson
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from modelserve.errors import InvalidInput, PredictorFailed
from modelserve.protocol.binary import decode_raw, encode_raw
from modelserve.protocol.grpc import decode_parameters, encode_parameter
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, Tensor
from modelserve.protocol.rest import RawTensors, named_objects, parse_object, read_tensor


def encode_rest_request(request: InferenceRequest) -> tuple[bytes, int]:
    """Write a request's body; also the length of its JSON part."""
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
    """Read an answer's body.

    Args:
        body: of the answer.
        header_length: ``Inference-Header-Content-Length``, or None where all of it is JSON.

    Raises:
        PredictorFailed: it is no answer in V2.
    """
    view = memoryview(body)
    try:
        message = parse_object(view[:header_length])
        raw = None if header_length is None else RawTensors(view[header_length:])
        outputs = tuple(read_tensor(item, raw) for item in named_objects(message, "outputs"))
    except InvalidInput as error:
        raise _no_answer(error) from error
    return InferenceResponse(
        model_name=str(message.get("model_name", "")),
        model_version=message.get("model_version"),
        id=message.get("id"),
        outputs=outputs,
        parameters=message.get("parameters") or {},
    )


def encode_grpc_request(request: InferenceRequest) -> pb.ModelInferRequest:
    """Write a request with raw contents."""
    message = pb.ModelInferRequest(model_name=request.model_name, id=request.id or "")
    for name, value in request.parameters.items():
        message.parameters[name].CopyFrom(encode_parameter(value))
    for tensor in request.inputs:
        message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        message.raw_input_contents.append(bytes(encode_raw(tensor)))
    for output in request.outputs:
        message.outputs.add(name=output.name)
    return message


def decode_grpc_response(message: pb.ModelInferResponse) -> InferenceResponse:
    """Read an answer with raw contents.

    Raises:
        PredictorFailed: it has others, or contradicts itself.
    """
    try:
        if len(message.raw_output_contents) != len(message.outputs):
            raise InvalidInput("its outputs have no raw contents")
        outputs = tuple(
            Tensor(
                item.name,
                item.datatype,
                decode_raw(item.datatype, list(item.shape), data, name=item.name),
            )
            for item, data in zip(message.outputs, message.raw_output_contents, strict=True)
        )
    except InvalidInput as error:
        raise _no_answer(error) from error
    return InferenceResponse(
        model_name=message.model_name,
        model_version=message.model_version or None,
        id=message.id or None,
        outputs=outputs,
        parameters=decode_parameters(message.parameters),
    )


def _no_answer(error: InvalidInput) -> PredictorFailed:
    return PredictorFailed(f"the predictor's answer cannot be read: {error}")
