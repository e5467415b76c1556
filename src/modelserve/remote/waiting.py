"""Waiting for a predictor, as a server in its pod does before it says that it is ready itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

import grpc
import httpx

from modelserve.remote.grpc import SERVICE, credentials, target_of
from modelserve.remote.rest import address_of
from modelserve.settings import RemoteSettings

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS = 1.0
_READY = b"\x08\x01"
"""A ``ServerReadyResponse`` that says yes: its one field, true."""


def wait_for_predictor(settings: RemoteSettings, is_given_up: threading.Event) -> bool:
    """Ask a predictor whether it is ready until it is; whether it came to that.

    It is asked over V2, as its inferences are, and from a thread: an event loop would stand still.

    Args:
        settings: where it is.
        is_given_up: set when nobody wants to know any more.
    """
    ask = _grpc(settings) if settings.predictor_protocol == "grpc-v2" else _rest(settings)
    logger.info("waiting for the predictor at %s", settings.predictor_host)
    while not is_given_up.is_set():
        with suppress(httpx.HTTPError, grpc.RpcError):
            if ask():
                return True
        is_given_up.wait(_PAUSE_SECONDS)
    return False


def _rest(settings: RemoteSettings) -> Callable[[], bool]:
    base_url, verify = address_of(settings.predictor_host, use_ssl=settings.predictor_use_ssl)
    url = f"{base_url}/v2/health/ready"

    def ask() -> bool:
        return httpx.get(url, timeout=_ANSWER_SECONDS, verify=verify, trust_env=False).status_code == 200

    return ask


def _grpc(settings: RemoteSettings) -> Callable[[], bool]:
    target = target_of(settings.predictor_host, use_ssl=settings.predictor_use_ssl)
    tls = credentials() if settings.predictor_use_ssl else None

    def ask() -> bool:
        # A channel that has failed waits before it connects again, a new one does not.
        with grpc.insecure_channel(target) if tls is None else grpc.secure_channel(target, tls) as channel:
            ready: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/ServerReady")
            return ready(b"", timeout=_ANSWER_SECONDS) == _READY

    return ask
