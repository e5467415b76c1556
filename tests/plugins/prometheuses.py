"""A Prometheus of a test's own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_servers import free_ports


@dataclass
class PrometheusClient:
    """What a Prometheus has, by its HTTP API.

    Attributes:
        url: of Prometheus.
        at: seconds since 1970 of what is now; None as long as time goes on.
        client: by which all is asked.
    """

    url: str = ""
    at: float | None = None
    client: httpx.Client = field(default_factory=partial(httpx.Client, timeout=60))

    def now(self, query: str) -> list[dict[str, Any]]:
        """The series that a query gives, each with its value."""
        found: list[dict[str, Any]] = self.ask("query", query=query, time=self.at or time.time())["result"]
        return found

    def ask(self, path: str, **parameters: Any) -> Any:
        """The data of an answer of Prometheus's API; fails with what it says where it refuses."""
        # Queries may be long; what is asked without one is not to be posted.
        method = "POST" if parameters else "GET"
        answer = self.client.request(method, f"{self.url}/api/v1/{path}", data=parameters).json()
        assert answer["status"] == "success", f"{answer.get('error')}\n{parameters}"
        return answer["data"]

    def value(self, query: str, **labels: str) -> float:
        """Of the one series with these labels."""
        found = self.now(query)
        chosen = [one for one in found if labels.items() <= one["metric"].items()]
        assert len(chosen) == 1, found
        return float(chosen[0]["value"][1])


@dataclass
class PrometheusProcess:
    """A Prometheus, which a test may stop for a while.

    Attributes:
        url: of it.
        process: that it is.
        log: what it says.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @contextmanager
    def away(self) -> Iterator[None]:
        """It answers nobody, and scrapes nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextmanager
def running_prometheus(
    folder: Path, scrape: dict[str, Any], host: str = "127.0.0.1", *, flags: Sequence[str] = ()
) -> Iterator[PrometheusProcess]:
    """Start one that scrapes every second.

    Args:
        folder: of its configuration, data and log.
        scrape: what is scraped, as an entry of ``scrape_configs``.
        host: address that it listens on.
        flags: further ones.
    """
    program = shutil.which("prometheus")
    if program is None:
        pytest.fail("prometheus is not on the PATH; these tests need one: apt-get install prometheus")
    scrapes = [{"scrape_interval": "1s", "scrape_timeout": "1s", **scrape}]
    (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": scrapes}))
    (port,) = free_ports(1, host)
    address = f"{host}:{port}"
    command = [
        program,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        *flags,
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=log)
        try:
            yield PrometheusProcess(f"http://{address}", process, folder / "log")
        finally:
            process.kill()
            process.wait()
