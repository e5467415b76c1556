"""Every row of the table of errors, over gRPC, with stubs that KServe generated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub


@pytest.fixture
def channel(server: Any) -> Iterator[grpc.Channel]:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.grpc_target, options=options) as channel:
        yield channel


def request(
    *,
    model: str = "bert-ner",
    version: str = "",
    name: str = "text",
    datatype: str = "BYTES",
    shape: Any = (1,),
) -> pb.ModelInferRequest:
    message = pb.ModelInferRequest(model_name=model, model_version=version)
    message.inputs.add(name=name, datatype=datatype, shape=shape)
    return message


def typed(*values: bytes, **arguments: Any) -> pb.ModelInferRequest:
    message = request(**arguments)
    message.inputs[0].contents.bytes_contents.extend(values)
    return message


def raw(content: bytes, **arguments: Any) -> pb.ModelInferRequest:
    message = request(**arguments)
    message.raw_input_contents.append(content)
    return message


def element(value: bytes) -> bytes:
    return len(value).to_bytes(4, "little") + value


def both() -> pb.ModelInferRequest:
    message = typed(b"Berlin")
    message.raw_input_contents.append(element(b"Berlin"))
    return message


def with_parameter(name: str, **value: Any) -> pb.ModelInferRequest:
    message = typed(b"Berlin")
    message.parameters[name].MergeFrom(pb.InferParameter(**value))
    return message


def with_output(name: str) -> pb.ModelInferRequest:
    message = typed(b"Berlin")
    message.outputs.add(name=name)
    return message


@pytest.mark.parametrize(
    ("message", "status", "word"),
    [
        (typed(b"Berlin", name="words"), "INVALID_ARGUMENT", "words"),
        (typed(b"Berlin", datatype="STRING"), "INVALID_ARGUMENT", "STRING"),
        (typed(b"Berlin", shape=(2,)), "INVALID_ARGUMENT", "text"),
        (typed(b"Berlin", shape=(-1,)), "INVALID_ARGUMENT", "text"),
        (typed(b"\xff\xfe"), "INVALID_ARGUMENT", "UTF-8"),
        (raw(element(b"\xff\xfe")), "INVALID_ARGUMENT", "UTF-8"),
        (raw(b"\x05\x00"), "INVALID_ARGUMENT", "text"),
        (raw(element(b"Berlin") + b"x"), "INVALID_ARGUMENT", "text"),
        (both(), "INVALID_ARGUMENT", "raw"),
        (request(), "INVALID_ARGUMENT", "text"),
        (pb.ModelInferRequest(model_name="bert-ner"), "INVALID_ARGUMENT", "inputs"),
        (with_parameter("min_score", string_param="high"), "INVALID_ARGUMENT", "min_score"),
        (with_output("labels"), "INVALID_ARGUMENT", "entities"),
        (typed(b"no image", model="resnet-classifier", name="image"), "INVALID_ARGUMENT", "JPEG"),
        (typed(b"Berlin", model="nobody"), "NOT_FOUND", "nobody"),
        (typed(b"Berlin", version="7"), "NOT_FOUND", "7"),
        (typed(*[b"a"] * 65, shape=(65,)), "INVALID_ARGUMENT", "64"),
        (typed(b"a" * 200_001), "INVALID_ARGUMENT", "200000"),
        (typed(bytes(8_000_001)), "INVALID_ARGUMENT", "8000000"),
    ],
)
def test_refusals(channel: grpc.Channel, message: pb.ModelInferRequest, status: str, word: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        GRPCInferenceServiceStub(channel).ModelInfer(message, timeout=60)
    assert raised.value.code() == grpc.StatusCode[status]
    assert word in str(raised.value.details())


@pytest.mark.parametrize("method", ["ModelInfer", "ModelReady", "ModelMetadata", "RepositoryModelLoad"])
def test_a_malformed_message_is_the_callers_mistake(channel: grpc.Channel, method: str) -> None:
    call: Any = channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
    with pytest.raises(grpc.RpcError) as raised:
        call(b"\xff\xff\xff", timeout=60)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_an_unloaded_model_is_unavailable(start_server: Any) -> None:
    own = start_server("bert_ner", "--model_dir", "samples/bert-ner")
    with grpc.insecure_channel(own.grpc_target) as channel:
        stub = GRPCInferenceServiceStub(channel)
        name = "bert-ner"
        assert stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name=name)).isUnloaded
        assert not stub.ModelReady(pb.ModelReadyRequest(name=name)).ready
        assert not stub.ServerReady(pb.ServerReadyRequest()).ready
        assert stub.ServerLive(pb.ServerLiveRequest()).live
        with pytest.raises(grpc.RpcError) as raised:
            stub.ModelInfer(typed(b"Berlin"))
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
        assert stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=name)).isLoaded
        assert stub.ModelInfer(typed(b"Berlin")).model_name == name
