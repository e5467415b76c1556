"""A way to call the webhook."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import httpx
import pytest

from modelserve.canary.admission.certificates import Certificate


@pytest.fixture
def call() -> Callable[..., httpx.Response]:
    """POSTs to the webhook on a connection of its own, and trusts one certificate only."""

    def call(port: int, certificate: Certificate, body: bytes, path: str = "/mutate") -> httpx.Response:
        context = ssl.create_default_context(cadata=certificate.certificate.decode())
        return httpx.post(f"https://127.0.0.1:{port}{path}", content=body, verify=context, timeout=10)

    return call
