"""uvicorn as every HTTP server of this package runs it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

KEEP_ALIVE_SECONDS = 65  # longer than the proxies in front, which else reuse a closed connection


class HttpServer(uvicorn.Server):
    """A server whose signals are its owner's: there is more to end than it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def http_config(
    app: Any,
    *,
    protocol: type[asyncio.Protocol],
    grace_seconds: int,
    tls: ssl.SSLContext | None = None,
) -> uvicorn.Config:
    """How it is run, but for its socket.

    Args:
        app: ASGI.
        protocol: of each connection.
        grace_seconds: for requests in progress, when it ends.
        tls: for HTTPS; its certificate may be replaced while it is used.
    """
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nobody asks who the client is
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace_seconds,
        ssl_context_factory=None if tls is None else lambda *_: tls,
    )
