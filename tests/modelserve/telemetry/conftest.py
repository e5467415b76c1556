"""Collectors that speak OTLP for real, over HTTP and over gRPC."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from modelserve.telemetry import Tracing, configure_tracing

PATIENCE_SECONDS = 60  # before a test gives up; nothing waits that long when all is well


class Received:
    """What a collector was sent, and how it answers."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.spans: list[Any] = []
        self.resources: list[Any] = []
        self.paths: list[str] = []
        self.encodings: list[str] = []
        self.statuses: list[int] = []  # to answer with, first to last; then 200
        self.called = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def take(self, request: pb.ExportTraceServiceRequest) -> None:
        for of_resource in request.resource_spans:
            attributes = {item.key: item.value.string_value for item in of_resource.resource.attributes}
            for of_scope in of_resource.scope_spans:
                self.spans.extend(of_scope.spans)
                self.resources.extend([attributes] * len(of_scope.spans))

    def named(self, name: str) -> Any:
        [span] = [span for span in self.spans if span.name == name]
        return span


class _HttpServer(ThreadingHTTPServer):
    received: Received


class _Handler(BaseHTTPRequestHandler):
    server: _HttpServer

    def do_POST(self) -> None:
        received = self.server.received
        body = self.rfile.read(int(self.headers["Content-Length"]))
        received.called.set()
        received.go_on.wait(PATIENCE_SECONDS)
        received.encodings.append(self.headers.get("Content-Encoding", "identity"))
        status = received.statuses.pop(0) if received.statuses else 200
        if status == 200:
            received.paths.append(self.path)
            plain = gzip.decompress(body) if received.encodings[-1] == "gzip" else body
            received.take(pb.ExportTraceServiceRequest.FromString(plain))
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def http_collector() -> Iterator[Received]:
    received = Received()
    server = _HttpServer(("127.0.0.1", 0), _Handler)
    server.received = received
    received.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield received
    received.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


class _Servicer(TraceServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self._received.called.set()
        self._received.go_on.wait(PATIENCE_SECONDS)
        self._received.take(request)
        return pb.ExportTraceServiceResponse()


@pytest.fixture
def grpc_collector() -> Iterator[Received]:
    received = Received()
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        add_TraceServiceServicer_to_server(_Servicer(received), server)  # type: ignore[no-untyped-call]
        received.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        yield received
        received.go_on.set()
        server.stop(None).wait()


Configure = Callable[..., Tracing]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Configures tracing under these variables alone; it is shut down with the test."""
    started: list[Tracing] = []

    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)

    def with_variables(**variables: str) -> Tracing:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        started.append(configure_tracing(service_name="tagger", revision="tagger-00007"))
        return started[-1]

    yield with_variables
    for tracing in started:
        tracing.shutdown(timeout_seconds=PATIENCE_SECONDS)
