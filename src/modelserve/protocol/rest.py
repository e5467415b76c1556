"""V2 over REST: JSON bodies, and Triton's binary tensor extension in both directions.

With the extension a body is a JSON object followed by raw tensors in the order of their
``binary_data_size`` parameters; the header ``Inference-Header-Content-Length`` gives the length of
the JSON part. One body may hold tensors of both forms.

Read as generously as the clients write: fields that V2 does not name (KServe's client sends
``model_name``) are ignored, null stands for a field that is left out, and of a key that is there
twice the last value counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from modelserve.errors import InvalidInput
from modelserve.protocol.binary import decode_raw, encode_raw
from modelserve.protocol.checks import (
    check_inputs,
    check_parameters,
    flag,
    label,
    requested_output,
)
from modelserve.protocol.messages import (
    InferenceRequest,
    InferenceResponse,
    RequestedOutput,
    Tensor,
)
from modelserve.protocol.values import decode_values, encode_values

HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True, slots=True)
class EncodedResponse:
    """The body of an answer.

    ``header_length`` is the length of its JSON part in bytes where raw tensors follow: the body is
    then ``application/octet-stream``. It is None where all of the body is JSON.
    """

    body: bytes
    header_length: int | None


def decode_request(
    body: bytes, *, model_name: str, model_version: str | None, header_length: int | None
) -> InferenceRequest:
    """Read the body of a call.

    Args:
        body: the whole body, unpacked.
        model_name: the model that the path names.
        model_version: the version that the path names, if any.
        header_length: ``Inference-Header-Content-Length``, or None where the caller sent none.

    Raises:
        InvalidInput: the body is malformed; the sentence names the tensor where there is one.
    """
    if header_length is not None and not 0 <= header_length <= len(body):
        raise InvalidInput(
            f"header {HEADER_LENGTH} is {header_length}, but the body has {len(body)} bytes; "
            "the length of the body's JSON part is accepted"
        )
    view = memoryview(body)
    message = parse_object(view[:header_length])
    raw = None if header_length is None else RawTensors(view[header_length:])
    inputs = check_inputs([read_tensor(item, raw) for item in named_objects(message, "inputs")])
    if raw is not None and raw.data:
        raise InvalidInput(
            f"the body has {len(raw.data)} bytes after its last tensor; "
            "as many as the inputs' `binary_data_size` add up to are accepted"
        )
    identifier = message.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise InvalidInput("the request's `id` is no string; a string is accepted")
    parameters = check_parameters(message.get("parameters"), owner="the request")
    return InferenceRequest(
        model_name=model_name,
        model_version=model_version,
        id=identifier,
        inputs=inputs,
        outputs=tuple(_output(item) for item in named_objects(message, "outputs")),
        parameters=parameters,
        binary_output=flag(parameters, "binary_data_output", owner="the request") or False,
    )


def read_response(message: dict[str, Any], raw: RawTensors | None) -> InferenceResponse:
    """An answer whose JSON part is parsed.

    Raises:
        InvalidInput: it is no answer in V2.
    """
    outputs = check_inputs([read_tensor(item, raw) for item in named_objects(message, "outputs")])
    if raw is not None and raw.data:
        raise InvalidInput(f"{len(raw.data)} bytes follow its last tensor")
    about = {
        key: None if message.get(key) is None else str(message[key])
        for key in ("model_name", "model_version", "id")
    }
    return InferenceResponse(
        model_name=about["model_name"] or "",
        model_version=about["model_version"],
        id=about["id"],
        outputs=outputs,
        parameters=check_parameters(message.get("parameters"), owner="the answer"),
    )


def encode_response(response: InferenceResponse, request: InferenceRequest) -> EncodedResponse:
    """Write the body of an answer.

    An output is raw where the request asks for it so (``binary_data``), or, where it does not say,
    where it asks for all outputs so (``binary_data_output``); else it is JSON, as ``encode_values``
    says.
    """
    asked = {output.name: output.binary for output in request.outputs}
    outputs: list[dict[str, Any]] = []
    raw: list[bytes | memoryview] = []
    for tensor in response.outputs:
        output: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": tensor.shape,
        }
        binary = asked.get(tensor.name)
        if request.binary_output if binary is None else binary:
            raw.append(encode_raw(tensor))
            output["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            output["data"], parameters = encode_values(tensor)
            if parameters:
                output["parameters"] = parameters
        outputs.append(output)
    message: dict[str, Any] = {"model_name": response.model_name, "outputs": outputs}
    if response.model_version is not None:
        message["model_version"] = response.model_version
    if response.id is not None:
        message["id"] = response.id
    if response.parameters:
        message["parameters"] = dict(response.parameters)
    header = orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY)
    if not raw:
        return EncodedResponse(header, None)
    return EncodedResponse(b"".join([header, *raw]), len(header))


class RawTensors:
    """The raw tensors that follow the JSON part; ``data`` is what is not taken yet."""

    def __init__(self, data: memoryview) -> None:
        self.data = data

    def take(self, size: int, *, name: str) -> memoryview:
        """The next bytes, for the tensor of that name."""
        if size > len(self.data):
            raise InvalidInput(
                f"{label(name)} has a `binary_data_size` of {size}, but {len(self.data)} bytes of the "
                "body are left for it; the length of its data is accepted"
            )
        taken, self.data = self.data[:size], self.data[size:]
        return taken


def parse_object(body: memoryview) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        InvalidInput: it is none.
    """
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"the body is no JSON ({error}); a JSON object is accepted") from error
    if not isinstance(message, dict):
        raise InvalidInput("the body is no JSON object; an object with `inputs` is accepted")
    return message


def named_objects(message: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The list of named objects under ``key``; empty where there is none."""
    items = message.get(key)
    if items is None:
        return []
    if not isinstance(items, list) or any(not isinstance(item, dict) for item in items):
        raise InvalidInput(f"the request's `{key}` are no list of objects; a list of objects is accepted")
    for position, item in enumerate(items):
        if not isinstance(item.get("name"), str):
            raise InvalidInput(
                f"number {position + 1} of the request's `{key}` has no `name`; a string is accepted"
            )
    return items


def read_tensor(item: dict[str, Any], raw: RawTensors | None) -> Tensor:
    """A tensor of a body; its values are JSON, or the next of the raw ones.

    Raises:
        InvalidInput: it contradicts itself.
    """
    name: str = item["name"]
    for field in ("datatype", "shape"):
        if item.get(field) is None:
            raise InvalidInput(f"{label(name)} has no `{field}`; an input with one is accepted")
    datatype, shape, data = item["datatype"], item["shape"], item.get("data")
    parameters = check_parameters(item.get("parameters"), owner=label(name))
    size = parameters.get("binary_data_size")
    if size is None:
        if data is None:
            raise InvalidInput(
                f"{label(name)} has no data; `data`, or the parameter `binary_data_size`, is accepted"
            )
        return Tensor(name, datatype, decode_values(datatype, shape, data, name=name), from_json=True)
    if data is not None:
        raise InvalidInput(
            f"{label(name)} has both `data` and `binary_data_size`; one of the two is accepted"
        )
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise InvalidInput(
            f"{label(name)} has the `binary_data_size` {str(size)[:40]!r}; "
            "a number of bytes, not negative, is accepted"
        )
    if raw is None and size:
        raise InvalidInput(
            f"{label(name)} has a `binary_data_size`, but the call has no header {HEADER_LENGTH}; "
            "the length of the body's JSON part is accepted there"
        )
    # KServe's client sends an empty raw tensor without the header, as there is nothing to follow.
    taken = b"" if raw is None else raw.take(size, name=name)
    return Tensor(name, datatype, decode_raw(datatype, shape, taken, name=name))


def _output(item: dict[str, Any]) -> RequestedOutput:
    return requested_output(item["name"], item.get("parameters"))
