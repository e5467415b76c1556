"""Sinks on free ports, with a consumer that does what the test tells it, and raw connections to them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from modelserve.events import LoggedMessage
from modelserve.events.sink import Pages, Sink, SinkLimits, SinkMetrics

AGENT = {
    "ce-component": "predictor",
    "ce-endpoint": "",
    "ce-inferenceservicename": "bert-ner",
    "ce-namespace": "default",
    "ce-source": "http://localhost:9081/",
    "ce-specversion": "1.0",
    "ce-time": "2026-11-25T17:06:38.412774003Z",
    "content-type": "application/json",
}


def agent_headers(name: str = "1", side: str = "request") -> dict[str, str]:
    """What KServe's agent sends of half a call."""
    return {**AGENT, "ce-id": name, "ce-type": f"org.kubeflow.serving.inference.{side}"}


class Recorder:
    """Keeps what it takes, and counts it as ``taken``.

    It fails on bodies in ``bad``, and waits for ``go_on`` before each message.
    """

    def __init__(self, metrics: SinkMetrics) -> None:
        self._metrics = metrics
        self.messages: list[LoggedMessage] = []
        self.bad: set[bytes] = set()
        self.go_on = threading.Event()
        self.go_on.set()
        self.idled = self.closed = 0

    def take(self, message: LoggedMessage) -> None:
        self.go_on.wait(60)
        if message.body in self.bad:
            raise ValueError("it cannot be read")
        self.messages.append(message)
        self._metrics.count("taken")

    def idle(self) -> None:
        self.idled += 1
        if b"idle" in self.bad:
            raise ValueError("not now")

    def close(self) -> None:
        self.closed += 1


class RunningSink:
    """A sink that takes events, its server in a thread of its own."""

    def __init__(self, pages: Pages | None = None, **limits: Any) -> None:
        self.registry = CollectorRegistry()
        metrics = SinkMetrics("modelserve_drift", self.registry)
        self.consumer = Recorder(metrics)
        self.sink = Sink(self.consumer, metrics, SinkLimits(**limits), pages=pages)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._until, self._loop = asyncio.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(listener,))
        self._thread.start()
        self.client = httpx.Client(base_url=self.url, timeout=60)
        self.eventually(lambda: self.client.get("/health/ready").status_code == 200)

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self.sink.serve(listener, until=self._until))
            self._loop.run_until_complete(self._loop.shutdown_default_executor())

    def post(self, body: bytes = b"{}", name: str = "1", side: str = "request") -> httpx.Response:
        return self.client.post("/", content=body, headers=agent_headers(name, side))

    def outcomes(self) -> dict[str, int]:
        """Of all events that ended, without those that are 0."""
        (family,) = (f for f in self.registry.collect() if f.name == "modelserve_drift_events")
        return {
            s.labels["outcome"]: int(s.value) for s in family.samples if s.name.endswith("_total") and s.value
        }

    def gauge(self, name: str) -> int:
        value = self.registry.get_sample_value(f"modelserve_drift_{name}")
        assert value is not None
        return int(value)

    def eventually(self, is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + 30
        while not is_so():
            assert time.monotonic() < until, (self.outcomes(), self.gauge("queue_bytes"))
            time.sleep(0.005)

    def ends_with(self, **outcomes: int) -> None:
        """Every event has one of these outcomes, and none waits or takes room."""
        self.eventually(lambda: self.outcomes() == outcomes)
        self.eventually(lambda: not self.gauge("queue_messages") and not self.gauge("queue_bytes"))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def begin_to_stop(self) -> None:
        self._loop.call_soon_threadsafe(self._until.set)

    def stop(self) -> None:
        self.consumer.go_on.set()
        self.client.close()
        if self._thread.is_alive():
            self.begin_to_stop()
        self._thread.join(60)
        assert self.consumer.closed == 1


StartSink = Callable[..., RunningSink]


def _starting() -> Iterator[StartSink]:
    sinks: list[RunningSink] = []

    def start(**limits: Any) -> RunningSink:
        sinks.append(RunningSink(**limits))
        return sinks[-1]

    yield start
    for sink in sinks:
        sink.stop()


@pytest.fixture
def start_sink() -> Iterator[StartSink]:
    """Starts sinks that stop with the test."""
    yield from _starting()


@pytest.fixture
def sink(start_sink: StartSink) -> RunningSink:
    """A sink that takes a mebibyte at once."""
    return start_sink(max_event_bytes=1024 * 1024, queue_bytes=8 * 1024 * 1024)


@pytest.fixture(scope="module")
def module_sink() -> Iterator[RunningSink]:
    """One for many small tests."""
    for start in _starting():
        yield start(max_event_bytes=10_000, queue_bytes=1024 * 1024)


@pytest.fixture(scope="session")
def agent() -> Callable[..., dict[str, str]]:
    """What KServe's agent sends of half a call, by its id and its side."""
    return agent_headers
