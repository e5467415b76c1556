"""The webhook's server: HTTPS, with a certificate that may be renewed while it serves."""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from modelserve.canary.admission.certificates import Certificate
from modelserve.canary.admission.reviews import Change, NoReview, review
from modelserve.canary.rollout import CannotRollOut
from modelserve.server.connection import HttpConnection
from modelserve.server.http_server import HttpServer, http_config
from modelserve.server.workers import listen

PATH = "/mutate"

_MOST_BYTES = 8 * 1024 * 1024
"""A review has two objects in it, of at most 1.5 MiB each as etcd keeps them, and more as JSON."""

_GRACE_SECONDS = 5

Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
Decide: TypeAlias = Callable[[Change], list[dict[str, Any]]]

logger = logging.getLogger(__name__)


class WebhookApp:
    """ASGI: answers reviews.

    Args:
        decide: from a change to JSON Patch operations; on a thread of its own. What it cannot ask of the
            cluster it raises as ``CannotRollOut``.
    """

    def __init__(self, decide: Decide) -> None:
        self._decide = decide

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        """Answer one request."""
        if (scope["method"], scope["path"]) != ("POST", PATH):
            await _answer(send, 404, f"POST {PATH} is accepted".encode())
            return
        body = bytearray()
        is_whole = False
        while not is_whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            is_whole = not message.get("more_body", False)
            if len(body) > _MOST_BYTES:
                await _answer(send, 413, f"at most {_MOST_BYTES} bytes are accepted".encode())
                return
        try:
            answer = await asyncio.to_thread(review, bytes(body), self._decide)
        except NoReview as error:
            await _answer(send, 400, str(error).encode())
        except CannotRollOut as error:
            # The API server goes on without a change, and the admission policy refuses what needs one.
            logger.warning("a change could not be looked at: %s", error)
            await _answer(send, 503, str(error).encode())
        else:
            await _answer(send, 200, answer, b"application/json")


class WebhookServer:
    """Serves on a thread, from ``start`` to ``stop``.

    Args:
        decide: from a change to JSON Patch operations.
        certificate: to begin with.
    """

    def __init__(self, decide: Decide, certificate: Certificate) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.renew(certificate)
        self._server = HttpServer(
            http_config(
                WebhookApp(decide), protocol=HttpConnection, grace_seconds=_GRACE_SECONDS, tls=self._context
            )
        )
        self._thread: threading.Thread | None = None

    def renew(self, certificate: Certificate) -> None:
        """Show this certificate to whoever connects from now on."""
        with tempfile.TemporaryDirectory() as folder:
            # ssl reads files only.
            paths = Path(folder, "tls.crt"), Path(folder, "tls.key")
            for path, content in zip(paths, (certificate.certificate, certificate.key), strict=True):
                path.touch(mode=0o600)
                path.write_bytes(content)
            self._context.load_cert_chain(*paths)

    def start(self, host: str, port: int) -> int:
        """Listen.

        Args:
            host: address to listen on.
            port: likewise; 0 takes a free one.

        Returns:
            The port.

        Raises:
            StartError: the port is taken, or the address is not there.
        """
        listener = listen(host, port)
        found: int = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="webhook", daemon=True
        )
        self._thread.start()
        return found

    def stop(self) -> None:
        """Answer what was asked, and end."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()


async def _answer(send: Send, status: int, body: bytes, content_type: bytes = b"text/plain") -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
