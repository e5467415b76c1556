"""A predictor asked over gRPC, with raw contents.

Messages pass gRPC as bytes and are written and read here: what its own conversion cannot read, it
logs and hands on as None.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import grpc

from modelserve.execution import on_decoders
from modelserve.protocol.client import decode_grpc_response, encode_grpc_request
from modelserve.protocol.messages import InferenceRequest, InferenceResponse
from modelserve.remote.refusals import from_grpc, too_late
from modelserve.telemetry import current_call

SERVICE = "inference.GRPCInferenceService"

_SERVICE_CONFIG = json.dumps(
    {
        # A headless Service's name stands for all of its pods; gRPC's default keeps to the first.
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{"service": SERVICE}],
                # An inference may be computed twice. UNAVAILABLE is a pod that goes, or none yet.
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)

_OPTIONS = (
    ("grpc.service_config", _SERVICE_CONFIG),
    # By default a call of more than 256 KiB is never tried again, and an image's tensor has more.
    ("grpc.per_rpc_retry_buffer_size", 2**31 - 1),
    # By default a predictor that was away for a while is looked for every two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # The predictor bounds its requests itself, and its answers are as trusted as it is.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


class GrpcPredictor:
    """``modelserve.remote.Predictor`` over gRPC; made in the event loop that it is used in.

    Args:
        host: of the predictor, with a port where it is not HTTP's.
        use_ssl: whether the connection is TLS, with the authorities that ``SSL_CERT_FILE`` names, or
            else the public ones.
        timeout_seconds: of a call whose caller gives no deadline.
    """

    def __init__(self, host: str, *, use_ssl: bool, timeout_seconds: float) -> None:
        # A gateway chooses the service by its host name, and knows it without a port.
        options = [*_OPTIONS, ("grpc.default_authority", host)]
        self._timeout_seconds = timeout_seconds
        self._channel = (
            grpc.aio.secure_channel(target_of(host, use_ssl=True), credentials(), options)
            if use_ssl
            else grpc.aio.insecure_channel(target_of(host, use_ssl=False), options)
        )
        self._infer: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(
            f"/{SERVICE}/ModelInfer"
        )

    async def infer(self, request: InferenceRequest, *, timeout_seconds: float | None) -> InferenceResponse:
        """See ``Predictor.infer``."""
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        deadline = time.monotonic() + seconds
        carrier: dict[str, str] = {}
        current_call().inject(carrier)
        data = await on_decoders(lambda: encode_grpc_request(request))
        try:
            answer = await self._infer(
                data,
                timeout=deadline - time.monotonic(),
                metadata=[(name.lower(), value) for name, value in carrier.items()],
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise too_late(seconds) from error
            raise from_grpc(error.code().name, error.details() or "") from error
        return decode_grpc_response(answer)

    async def close(self) -> None:
        """See ``Predictor.close``."""
        await self._channel.close()


def target_of(host: str, *, use_ssl: bool) -> str:
    """A host with its port, which is HTTP's where none is given."""
    return host if ":" in host else f"{host}:{443 if use_ssl else 80}"


def credentials() -> grpc.ChannelCredentials:
    """Of TLS, with the authorities that ``SSL_CERT_FILE`` names, or else the public ones."""
    authorities = os.environ.get("SSL_CERT_FILE")
    return grpc.ssl_channel_credentials(Path(authorities).read_bytes() if authorities else None)
