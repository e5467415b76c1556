"""What the controller answers by HTTP: its metrics, whether it is well, and what it says of each service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any, TypeAlias
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import CollectorRegistry, make_wsgi_app

from modelserve.canary.journal import Journal
from modelserve.canary.running.telling import progress_json
from modelserve.database import StoreError
from modelserve.server.workers import StartError

StartResponse: TypeAlias = Callable[..., Any]
Environ: TypeAlias = dict[str, Any]

_JSON = "application/json"


class Pages:
    """A WSGI application.

    Args:
        registry: of the metrics.
        journal: of the canaries.
        is_well: whether the process does what it is for.
    """

    def __init__(self, registry: CollectorRegistry, journal: Journal, *, is_well: Callable[[], bool]) -> None:
        self._metrics: Any = make_wsgi_app(registry)
        self._journal, self._is_well = journal, is_well

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        status, content_type, body = self._answer(environ["REQUEST_METHOD"], path.strip("/").split("/"))
        start_response(
            f"{status.value} {status.phrase}",
            [("Content-Type", content_type), ("Content-Length", str(len(body)))],
        )
        return [body]

    def _answer(self, method: str, path: list[str]) -> tuple[HTTPStatus, str, bytes]:
        if method not in ("GET", "HEAD"):
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not accepted; GET is")
        try:
            match path:
                case ["health", "live" | "ready"]:
                    is_well = self._is_well()
                    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
                    return status, _JSON, orjson.dumps({"ok": is_well})
                case ["canaries", namespace, service]:
                    return self._tell(namespace, service)
        except StoreError as error:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        return _refusal(
            HTTPStatus.NOT_FOUND,
            "there is no such page; /metrics, /health/{live,ready} and /canaries/NAMESPACE/SERVICE are",
        )

    def _tell(self, namespace: str, service: str) -> tuple[HTTPStatus, str, bytes]:
        """Where the newest canary of a service stands, as ``modelserve canary run --json`` says it."""
        canary = self._journal.last_canary(namespace, service)
        if canary is None:
            return _refusal(HTTPStatus.NOT_FOUND, f"{namespace}/{service} has had no canary")
        return HTTPStatus.OK, _JSON, orjson.dumps(progress_json(self._journal.history(canary)[-1]))


def _refusal(status: HTTPStatus, sentence: str) -> tuple[HTTPStatus, str, bytes]:
    return status, _JSON, orjson.dumps({"error": sentence})


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = 30  # seconds, for a request to come

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing of each scrape."""


def serve_pages(pages: Pages, host: str, port: int) -> _Server:
    """Answer on a thread, until ``shutdown``.

    Args:
        pages: what is answered.
        host: address to listen on.
        port: likewise; 0 takes a free one, which is ``server_port``.

    Raises:
        StartError: the port is taken, or the address is not there.
    """
    try:
        server = make_server(host, port, pages, server_class=_Server, handler_class=_Handler)
    except OSError as error:
        raise StartError(f"{host}:{port} cannot be listened on: {error.strerror}") from error
    threading.Thread(target=server.serve_forever, name="pages", daemon=True).start()
    return server
