"""A real Prometheus, and pods for it that the tests make up."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import httpx
import pytest
from http_servers import answering, free_ports
from prometheus_client import CollectorRegistry, generate_latest
from prometheuses import running_prometheus


def serving_metrics(metrics: Callable[[], bytes]) -> AbstractContextManager[int]:
    """Something to scrape; its port."""
    return answering(lambda _: (200, metrics()), "text/plain; version=0.0.4")


@contextlib.contextmanager
def prometheus(
    folder: Path, ports: dict[str, int], namespaces: Mapping[str, str], *, honor_labels: bool
) -> Iterator[str]:
    """A Prometheus that has scraped these pods; its URL."""
    targets = [
        {
            "targets": [f"127.0.0.1:{port}"],
            "labels": {"pod": name, "namespace": namespaces.get(name, "default")},
        }
        for name, port in ports.items()
    ]
    scrape = {"job_name": "pods", "honor_labels": honor_labels, "static_configs": targets}
    with running_prometheus(folder, scrape) as found:
        wait_until_scraped(found.url, len(ports), found.log)
        yield found.url


def wait_until_scraped(url: str, pods: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(httpx.HTTPError, IndexError, ValueError):
            answer = httpx.get(f"{url}/api/v1/query", params={"query": "count(up == 1)"})
            if int(answer.json()["data"]["result"][0]["value"][1]) == pods:
                return
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    (port,) = free_ports(1)
    return port


@pytest.fixture
def pod() -> Callable[[Callable[[], bytes]], AbstractContextManager[int]]:
    """Serves what a function gives as metrics."""
    return serving_metrics


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts pods with these metrics, and a Prometheus that scrapes them.

    They are in the namespace ``default`` where ``namespaces`` has no other.
    """
    with contextlib.ExitStack() as stack:

        def start(
            *,
            namespaces: Mapping[str, str] | None = None,
            honor_labels: bool = False,
            **pods: CollectorRegistry,
        ) -> str:
            ports = {
                name: stack.enter_context(serving_metrics(partial(generate_latest, registry)))
                for name, registry in pods.items()
            }
            return stack.enter_context(
                prometheus(tmp_path, ports, namespaces or {}, honor_labels=honor_labels)
            )

        yield start
