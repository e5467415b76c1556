"""A predictor by the settings that KServe's transformers and explainers have."""

from __future__ import annotations

from modelserve.remote import Predictor
from modelserve.settings import RemoteSettings


def open_predictor(settings: RemoteSettings) -> Predictor:
    """Make the client; it connects when it is first asked."""
    if settings.predictor_protocol == "grpc-v2":
        from modelserve.remote.grpc import GrpcPredictor  # noqa: PLC0415  # one of the two is used

        return GrpcPredictor(
            settings.predictor_host,
            use_ssl=settings.predictor_use_ssl,
            timeout_seconds=settings.predictor_request_timeout_seconds,
            max_body_bytes=settings.max_body_bytes,
        )
    from modelserve.remote.rest import RestPredictor  # noqa: PLC0415

    return RestPredictor(
        settings.predictor_host,
        use_ssl=settings.predictor_use_ssl,
        timeout_seconds=settings.predictor_request_timeout_seconds,
        connections=settings.max_queue,
    )
