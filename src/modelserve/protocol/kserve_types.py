"""KServe's own request and response objects, for a model that runs under KServe's own server.

That server decodes and encodes by itself, so what it cannot carry (raw bytes that are no text over
REST, FP16 in JSON) stays out of reach here; this package's server uses the wire forms directly.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np
from kserve.protocol.grpc.grpc_predict_v2_pb2 import InferParameter
from kserve.protocol.infer_type import (
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    RequestedOutput,
)

from modelserve.protocol.binary import decode_raw
from modelserve.protocol.checks import check_inputs, check_parameters, requested_output
from modelserve.protocol.grpc import decode_parameters
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, Parameters, Tensor
from modelserve.protocol.values import decode_values


def from_kserve(request: InferRequest) -> InferenceRequest:
    """Take the values out of a request that KServe has decoded.

    Raises:
        InvalidInput: they contradict each other; the sentence names the tensor.
    """
    return InferenceRequest(
        model_name=request.model_name,
        model_version=request.model_version or None,
        id=request.id or None,
        inputs=check_inputs([_tensor(item, from_json=not request.from_grpc) for item in request.inputs]),
        outputs=tuple(
            requested_output(output.name, output.parameters) for output in request.request_outputs or ()
        ),
        parameters=_parameters(request.parameters),
        binary_output=bool(request.use_binary_outputs),
    )


def to_kserve(response: InferenceResponse, request: InferenceRequest) -> InferResponse:
    """Make the object that KServe encodes.

    A response without an id gets one, as KServe's REST server fails where there is none.
    """
    asked = {output.name: output.binary for output in request.outputs}
    has_fp16 = any(tensor.datatype == "FP16" for tensor in response.outputs)
    outputs, requested = [], []
    for tensor in response.outputs:
        asked_binary = asked.get(tensor.name)
        binary = request.binary_output if asked_binary is None else asked_binary
        output = InferOutput(tensor.name, list(tensor.shape), tensor.datatype)
        # KServe's gRPC server writes lists as typed contents, and fails on arrays where it writes raw
        # ones; beside FP16, which has no typed contents, every output must be raw.
        if binary or has_fp16:
            output.set_data_from_numpy(tensor.array, binary_data=True)
        else:
            output.data = tensor.array.reshape(-1).tolist()
        outputs.append(output)
        requested.append(RequestedOutput(tensor.name, {"binary_data": binary}))
    return InferResponse(
        response_id=response.id or str(uuid.uuid4()),
        model_name=response.model_name,
        model_version=response.model_version,
        infer_outputs=outputs,
        parameters=dict(response.parameters),
        use_binary_outputs=request.binary_output,
        requested_outputs=requested if request.outputs else None,
    )


def _tensor(item: InferInput, *, from_json: bool) -> Tensor:
    raw: bytes | None = item._raw_data  # KServe's public way to it makes a list.
    if raw is not None:
        return Tensor(item.name, item.datatype, decode_raw(item.datatype, item.shape, raw, name=item.name))
    data: Any = item.data.tolist() if isinstance(item.data, np.ndarray) else item.data
    array = decode_values(item.datatype, item.shape, data, name=item.name)
    return Tensor(item.name, item.datatype, array, from_json=from_json)


def _parameters(parameters: Any) -> Parameters:
    """A dictionary from REST, or gRPC's map of messages."""
    if isinstance(parameters, Mapping) and any(isinstance(p, InferParameter) for p in parameters.values()):
        return decode_parameters(parameters)
    return check_parameters(parameters, owner="the request")
