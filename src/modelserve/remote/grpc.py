"""A predictor asked over gRPC, with raw contents."""

from __future__ import annotations

import json

import grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from modelserve.protocol.client import decode_grpc_response, encode_grpc_request
from modelserve.protocol.messages import InferenceRequest, InferenceResponse
from modelserve.remote.refusals import from_grpc
from modelserve.telemetry.call import current_call

_METHOD = "/inference.GRPCInferenceService/ModelInfer"

_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": "inference.GRPCInferenceService"}],
                # An inference may be computed twice. UNAVAILABLE is a pod that goes, or none yet.
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)


class GrpcPredictor:
    """``modelserve.remote.Predictor`` over gRPC.

    Args:
        host: of the predictor, with a port where it is not HTTP's.
        use_ssl: whether the connection is TLS, with the system's authorities.
        timeout_seconds: of a call whose caller gives no deadline.
        max_body_bytes: the largest answer.
    """

    def __init__(self, host: str, *, use_ssl: bool, timeout_seconds: float, max_body_bytes: int) -> None:
        target = host if ":" in host else f"{host}:{443 if use_ssl else 80}"
        options = [
            ("grpc.service_config", _SERVICE_CONFIG),
            ("grpc.max_receive_message_length", max_body_bytes),
            ("grpc.max_send_message_length", -1),
            # The gateway chooses the service by its host name, and knows it without a port.
            ("grpc.default_authority", host),
        ]
        self._timeout_seconds = timeout_seconds
        self._channel = (
            grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options)
            if use_ssl
            else grpc.aio.insecure_channel(target, options)
        )
        self._infer = self._channel.unary_unary(
            _METHOD,
            request_serializer=pb.ModelInferRequest.SerializeToString,
            response_deserializer=pb.ModelInferResponse.FromString,
        )

    async def infer(self, request: InferenceRequest, *, timeout_seconds: float | None) -> InferenceResponse:
        """See ``Predictor.infer``."""
        metadata: dict[str, str] = {}
        current_call().inject(metadata)
        try:
            message = await self._infer(
                encode_grpc_request(request),
                timeout=self._timeout_seconds if timeout_seconds is None else timeout_seconds,
                metadata=tuple(metadata.items()),
            )
        except grpc.aio.AioRpcError as error:
            raise from_grpc(error.code().name, error.details() or "no reason was given") from error
        return decode_grpc_response(message)

    async def close(self) -> None:
        """See ``Predictor.close``."""
        await self._channel.close()
