"""A real server for the tests: the command that users run, in a process of its own."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from google.protobuf import descriptor_pool

# KServe's generated messages and Triton's have the same full names, and the default pool of a process
# takes one of the two; Triton's get a pool of their own before any test module imports them.
with pytest.MonkeyPatch.context() as patch:
    _pool = descriptor_pool.DescriptorPool()
    patch.setattr(descriptor_pool, "Default", lambda: _pool)
    importlib.import_module("tritonclient.grpc")

pytest_plugins = [
    "api_servers",
    "databases",
    "rollouts",
    "canary_controllers",
    "collectors",
    "deployments",
    "detectors",
    "flux",
    "kustomizations",
    "meshes",
    "monitorings",
]  # of plugins/

ROOT = Path(__file__).parents[1]
NER_DIR = ROOT / "samples" / "bert-ner"
RESNET_DIR = ROOT / "samples" / "resnet-classifier"


@dataclass
class RunningServer:
    """A server process that takes calls."""

    process: subprocess.Popen[str]
    drain: threading.Thread
    http_port: int
    grpc_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def grpc_target(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", timeout=60, **arguments)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=60)

    def stop(self) -> int:
        """Send SIGTERM and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self.drain.join(60)
        return status


def _drain(log: IO[str]) -> None:
    with log:
        log.read()


def _start(*arguments: str, environment: dict[str, str] | None = None) -> RunningServer:
    command = [sys.executable, "-m", *arguments, "--http_port", "0", "--grpc_port", "0"]
    command += ["--host", "127.0.0.1", "--log_format", "json"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "default", **(environment or {})},
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        message = json.loads(line)["message"] if line.startswith("{") else ""
        if message.startswith("ready: "):
            words = message.replace(",", "").split()
            # A pipe that nobody reads fills up, and the server would wait to write to it.
            drain = threading.Thread(target=_drain, args=(process.stderr,), daemon=True)
            drain.start()
            return RunningServer(process, drain, int(words[4]), int(words[8]))
    raise AssertionError(f"the server ended with {process.wait()} before it was ready:\n{''.join(lines)}")


StartServer = Callable[..., RunningServer]


def _starting() -> Iterator[StartServer]:
    servers: list[RunningServer] = []

    def start(*arguments: str, environment: dict[str, str] | None = None) -> RunningServer:
        servers.append(_start(*arguments, environment=environment))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Starts servers that stop with the test."""
    yield from _starting()


@pytest.fixture(scope="module")
def start_module_server() -> Iterator[StartServer]:
    """Starts servers that stop with the module's last test."""
    yield from _starting()


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """Both sample models on ONNX Runtime, with limits low enough to reach in a test."""
    running = _start(
        *("modelserve.cli", "serve"),
        *("--model", f"bert-ner={NER_DIR}", "--model", f"resnet-classifier={RESNET_DIR}"),
        *("--max_batch", "64", "--max_body_bytes", "8000000", "--max_text_bytes", "200000"),
        *("--max_image_bytes", "1000000", "--max_image_pixels", "4000000"),
    )
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def cat_jpeg() -> bytes:
    """A photograph of a cat."""
    return (ROOT / "samples" / "images" / "cat.jpg").read_bytes()
