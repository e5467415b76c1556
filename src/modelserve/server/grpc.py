"""V2 over gRPC: the service ``inference.GRPCInferenceService``, and beside it gRPC's own health service.

Messages are taken as bytes and parsed here, so that a malformed one is the caller's INVALID_ARGUMENT
and not gRPC's INTERNAL, and its size is checked before it is unpacked.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError, Message
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from modelserve.errors import InvalidInput, RequestError, TooLarge
from modelserve.exchange import V2Exchange
from modelserve.protocol.grpc import decode_request, encode_response
from modelserve.protocol.messages import InferenceRequest, InferenceResponse
from modelserve.server.calls import account
from modelserve.server.dataplane import DataPlane
from modelserve.server.health import HEALTH, health_handlers
from modelserve.telemetry.conventions import grpc_call

logger = logging.getLogger(__name__)

SERVICE = "inference.GRPCInferenceService"

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Handler: TypeAlias = "Callable[[bytes, Context], Awaitable[bytes]]"


def build_server(plane: DataPlane, *, max_body_bytes: int, shares_port: bool = False) -> grpc.aio.Server:
    """A gRPC server over a data plane; it has no port yet.

    Args:
        plane: answers the calls.
        max_body_bytes: the largest message.
        shares_port: whether other processes serve on the same port.
    """
    # A message over the bound is told in our sentence up to four times the bound; above that gRPC
    # itself refuses it before it is in memory, with RESOURCE_EXHAUSTED.
    transport_bytes = min(4 * max_body_bytes, 2**31 - 1)
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", transport_bytes),
            ("grpc.max_send_message_length", -1),
            # Without this a second server on the same port gets half of the calls and no error.
            ("grpc.so_reuseport", int(shares_port)),
        ]
    )
    servicer = _Servicer(plane, max_body_bytes)
    methods: dict[str, Handler] = {
        "ServerLive": servicer.server_live,
        "ServerReady": servicer.server_ready,
        "ModelReady": servicer.model_ready,
        "ServerMetadata": servicer.server_metadata,
        "ModelMetadata": servicer.model_metadata,
        "ModelInfer": servicer.infer,
        "RepositoryModelLoad": servicer.load,
        "RepositoryModelUnload": servicer.unload,
    }
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        name: grpc.unary_unary_rpc_method_handler(_with_status(method)) for name, method in methods.items()
    }
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(SERVICE, handlers),
            health_handlers(plane, (SERVICE, HEALTH)),
        )
    )
    return server


def _with_status(method: Handler) -> Handler:
    """Turn this package's errors into gRPC statuses."""

    async def handle(data: bytes, context: Context) -> bytes:
        try:
            return await method(data, context)
        except RequestError as error:
            await context.abort(grpc.StatusCode[error.grpc_status], str(error))
        except Exception:
            logger.exception("a gRPC call failed")
            await context.abort(grpc.StatusCode.INTERNAL, "the server failed to answer; its log says why")

    return handle


def _parse(message: type[Message], data: bytes) -> Any:
    try:
        return message.FromString(data)
    except DecodeError as error:
        raise InvalidInput(f"the message is malformed; a {message.DESCRIPTOR.name} is accepted") from error


class _Servicer:
    def __init__(self, plane: DataPlane, max_body_bytes: int) -> None:
        self._plane = plane
        self._max_body_bytes = max_body_bytes

    async def server_live(self, data: bytes, context: Context) -> bytes:
        return _dump(pb.ServerLiveResponse(live=True))

    async def server_ready(self, data: bytes, context: Context) -> bytes:
        return _dump(pb.ServerReadyResponse(ready=self._plane.ready))

    async def model_ready(self, data: bytes, context: Context) -> bytes:
        request = _parse(pb.ModelReadyRequest, data)
        return _dump(pb.ModelReadyResponse(ready=self._plane.model_ready(request.name, request.version)))

    async def server_metadata(self, data: bytes, context: Context) -> bytes:
        return _dump(pb.ServerMetadataResponse(**self._plane.server_metadata()))

    async def model_metadata(self, data: bytes, context: Context) -> bytes:
        request = _parse(pb.ModelMetadataRequest, data)
        return _dump(pb.ModelMetadataResponse(**self._plane.model_metadata(request.name, request.version)))

    async def load(self, data: bytes, context: Context) -> bytes:
        name = _parse(pb.RepositoryModelLoadRequest, data).model_name
        await self._plane.load_again(name)
        return _dump(pb.RepositoryModelLoadResponse(model_name=name, isLoaded=True))

    async def unload(self, data: bytes, context: Context) -> bytes:
        name = _parse(pb.RepositoryModelUnloadRequest, data).model_name
        await self._plane.unload(name)
        return _dump(pb.RepositoryModelUnloadResponse(model_name=name, isUnloaded=True))

    async def infer(self, data: bytes, context: Context) -> bytes:
        message = self._read(data)
        name, version = message.model_name, message.model_version

        def write(response: InferenceResponse, request: InferenceRequest) -> bytes:
            raw = len(message.raw_input_contents) > 0
            return _dump(encode_response(response, request_was_raw=raw))

        carrier = context.invocation_metadata() or ()
        span = grpc_call(method=f"{SERVICE}/ModelInfer", model=name)
        with account(self._plane, name=name, protocol="grpc", span=span, carrier=carrier) as call:
            call.size = len(data)
            model = self._plane.admit(name, version)
            exchange = V2Exchange(
                lambda: decode_request(message), write, version=model.version, revision=self._plane.revision
            )
            return await call.answer(model, exchange, timeout_seconds=context.time_remaining())

    def _read(self, data: bytes) -> pb.ModelInferRequest:
        if len(data) > self._max_body_bytes:
            raise TooLarge(
                f"the message has {len(data)} bytes; at most {self._max_body_bytes} bytes are accepted"
            )
        return _parse(pb.ModelInferRequest, data)


def _dump(message: Message) -> bytes:
    data: bytes = message.SerializeToString()
    return data
