"""A predictor by the settings that KServe's transformers and explainers have."""

from __future__ import annotations

from modelserve.remote import Predictor
from modelserve.remote.grpc import GrpcPredictor
from modelserve.remote.rest import RestPredictor
from modelserve.settings import RemoteSettings


def open_predictor(settings: RemoteSettings) -> Predictor:
    """Make the client, in the event loop that it is used in; it connects when it is first asked."""
    if settings.predictor_protocol == "grpc-v2":
        return GrpcPredictor(
            settings.predictor_host,
            use_ssl=settings.predictor_use_ssl,
            timeout_seconds=settings.predictor_request_timeout_seconds,
        )
    return RestPredictor(
        settings.predictor_host,
        use_ssl=settings.predictor_use_ssl,
        timeout_seconds=settings.predictor_request_timeout_seconds,
        connections=settings.max_queue,
    )
