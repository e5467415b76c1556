"""A Prometheus of a test's own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from http_servers import free_ports


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
    folder: Path, scrape: dict[str, Any], host: str = "127.0.0.1"
) -> Iterator[PrometheusProcess]:
    """Start one that scrapes every second.

    Args:
        folder: of its configuration, data and log.
        scrape: what is scraped, as an entry of ``scrape_configs``.
        host: address that it listens on.
    """
    program = shutil.which("prometheus")
    if program is None:
        pytest.fail("prometheus is not on the PATH; these tests need one: apt-get install prometheus")
    scrapes = [{"scrape_interval": "1s", "scrape_timeout": "1s", **scrape}]
    (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": scrapes}))
    (port,) = free_ports(1, host)
    address = f"{host}:{port}"
    command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=log)
        try:
            yield PrometheusProcess(f"http://{address}", process, folder / "log")
        finally:
            process.kill()
            process.wait()
