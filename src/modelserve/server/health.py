"""gRPC's standard health service, ``grpc.health.v1.Health``: what Kubernetes' gRPC probes and proxies ask.

Its messages have one field each and, on the wire, the form of protobuf's own wrappers: generated code for
them would be a dependency for a string and a number. See grpc/doc/health-checking.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import IntEnum
from typing import TypeAlias

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from modelserve.server.dataplane import DataPlane

HEALTH = "grpc.health.v1.Health"

_WATCH_SECONDS = 0.25
"""Between two looks for a change; what is looked at is in memory."""

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


class _Status(IntEnum):
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


def health_handlers(plane: DataPlane, services: Sequence[str]) -> grpc.GenericRpcHandler:
    """The health service over a data plane.

    The server, by the empty name, and each of its services are serving while ``/v2/health/ready`` says
    that it is ready.

    Args:
        plane: knows whether it is.
        services: their names.
    """

    def status_of(service: str) -> _Status:
        if service not in ("", *services):
            return _Status.SERVICE_UNKNOWN
        return _Status.SERVING if plane.ready else _Status.NOT_SERVING

    async def check(data: bytes, context: Context) -> bytes:
        status = status_of(await _service(data, context))
        if status is _Status.SERVICE_UNKNOWN:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"the service is unknown; this server has {', '.join(services)}"
            )
        return _answer(status)

    async def watch(data: bytes, context: Context) -> None:
        service = await _service(data, context)
        told: _Status | None = None
        # A stream that stayed open would hold up the end of the server.
        while not plane.draining:
            status = status_of(service)
            if status is not told:
                await context.write(_answer(status))
                told = status
            await asyncio.sleep(_WATCH_SECONDS)
        if told is _Status.SERVING:
            await context.write(_answer(_Status.NOT_SERVING))

    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Check": grpc.unary_unary_rpc_method_handler(check),
        "Watch": grpc.unary_stream_rpc_method_handler(watch),
    }
    return grpc.method_handlers_generic_handler(HEALTH, handlers)


async def _service(data: bytes, context: Context) -> str:
    try:
        service: str = StringValue.FromString(data).value
    except DecodeError:
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT, "the message is malformed; a HealthCheckRequest is accepted"
        )
    return service


def _answer(status: _Status) -> bytes:
    data: bytes = Int32Value(value=status).SerializeToString()
    return data
