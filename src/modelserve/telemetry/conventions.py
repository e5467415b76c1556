"""Names and attributes of spans.

They follow OpenTelemetry's semantic conventions for HTTP and RPC servers (1.4x: ``rpc.system.name``
and ``rpc.response.status_code``, not the older ``rpc.system`` and ``rpc.grpc.status_code``), so that
any backend knows how to read them. The conventions have nothing for a classifier: GenAI's are about
prompts and tokens. What is our own begins with ``modelserve.``.
"""

from __future__ import annotations

import asyncio
from typing import Final

from modelserve.errors import RequestError
from modelserve.telemetry.call import Attributes

MODEL: Final = "modelserve.model"
REVISION: Final = "modelserve.revision"
PROTOCOL: Final = "modelserve.protocol"
OUTCOME: Final = "modelserve.outcome"
BATCH_SIZE: Final = "modelserve.batch_size"

HTTP_METHOD: Final = "http.request.method"
RPC_SYSTEM: Final = "rpc.system.name"


def rest_call(
    *, method: str, route: str, path: str, model: str, protocol: str
) -> tuple[str, dict[str, str | bool | int | float]]:
    """Name and attributes of a REST call's span.

    Args:
        method: of HTTP, as ``POST``.
        route: the path with names in braces, of which there are few.
        path: the path as it was asked for.
        model: the model that was asked for.
        protocol: ``v1`` or ``v2``.
    """
    return f"{method} {route}", {
        HTTP_METHOD: method,
        "http.route": route,
        "url.path": path,
        "url.scheme": "http",
        MODEL: model,
        PROTOCOL: protocol,
    }


def grpc_call(*, method: str, model: str) -> tuple[str, dict[str, str | bool | int | float]]:
    """Name and attributes of a gRPC call's span.

    Args:
        method: service and method, as ``inference.GRPCInferenceService/ModelInfer``.
        model: the model that was asked for.
    """
    return method, {RPC_SYSTEM: "grpc", "rpc.method": method, MODEL: model, PROTOCOL: "grpc"}


def is_fault(error: BaseException | None) -> bool:
    """Whether the span of a call that ended so is an error: HTTP's 5xx, and gRPC's statuses like them.

    A caller's mistake is none, and neither is a caller who went away.
    """
    if isinstance(error, RequestError):
        return error.http_status >= 500
    return error is not None and not isinstance(error, asyncio.CancelledError)


def answer_attributes(error: BaseException | None, of_call: Attributes) -> dict[str, str | int]:
    """Attributes of what the caller was told, or of how work within the process ended.

    Args:
        error: why it failed, or None where it did not.
        of_call: the attributes that it began with, which tell a call of HTTP and one of RPC from other work.
    """
    attributes: dict[str, str | int] = {}
    if is_fault(error):
        attributes["error.type"] = type(error).__qualname__
    if RPC_SYSTEM in of_call:
        attributes["rpc.response.status_code"] = _grpc_status(error)
    elif HTTP_METHOD in of_call and not isinstance(error, asyncio.CancelledError):
        # Who went away was told no status.
        attributes["http.response.status_code"] = _http_status(error)
    return attributes


def is_call(attributes: Attributes) -> bool:
    """Whether a span is of a call from outside, by the attributes that it begins with."""
    return RPC_SYSTEM in attributes or HTTP_METHOD in attributes


def _grpc_status(error: BaseException | None) -> str:
    if isinstance(error, RequestError):
        return error.grpc_status
    if isinstance(error, asyncio.CancelledError):
        return "CANCELLED"
    return "OK" if error is None else "INTERNAL"


def _http_status(error: BaseException | None) -> int:
    if isinstance(error, RequestError):
        return error.http_status
    return 200 if error is None else 500
