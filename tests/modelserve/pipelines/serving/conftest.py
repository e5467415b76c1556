from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_servers import Request, answering

DEFINITION = """\
apiVersion: modelserve.dev/v1alpha1
kind: Pipeline
metadata: {name: shout}
spec:
  inputs:
    text: {type: string}
    times: {type: integer, default: 1}
  models:
    echo: {url: "http://127.0.0.1:PORT"}
  steps:
    - name: first
      model: echo
      inputs: {text: inputs.text}
    - name: second
      model: echo
      inputs: {text: "steps.first.output.said"}
  output: {said: steps.second.output.said, times: inputs.times}
"""


@dataclass
class Echo:
    """A V2 model that answers with its text: ``bad`` by 400, and ``slow`` when it is let go."""

    port: int = 0
    texts: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    is_bad: bool = True
    lets_go: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: Request) -> tuple[int, bytes]:
        (text,) = json.loads(request.body)["inputs"][0]["data"]
        self.texts.append(text)
        self.traces.append(request.headers.get("traceparent", ""))
        if text == "slow":
            self.lets_go.wait(60)
        if text == "bad" and self.is_bad:
            return 400, b'{"error": "it is bad"}'
        output = {"name": "said", "datatype": "BYTES", "shape": [1], "data": [text]}
        return 200, json.dumps({"model_name": "echo", "outputs": [output]}).encode()


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    with answering(made.answer) as made.port:
        yield made
        made.lets_go.set()


@dataclass
class PipelineServer:
    """``modelserve pipeline serve`` in a process of its own."""

    folder: Path
    arguments: tuple[str, ...]
    environment: dict[str, str]
    process: subprocess.Popen[str] | None = None
    port: int = 0

    def start(self) -> None:
        command = [sys.executable, "-m", "modelserve.cli", "pipeline", "serve", str(self.folder)]
        command += ["--http_host", "127.0.0.1", "--http_port", str(self.port)]
        command += ["--store_url", f"sqlite:///{self.folder}/runs.db", *self.arguments]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **self.environment},
            )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.startswith("Ready: shout on port "), (self.folder / "log").read_text()
        self.port = int(said.split()[-1])

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def begin(
        self, text: str = "hi", *, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        body = {"inputs": {"text": text}, **more}
        return httpx.post(f"{self.url}/v1alpha1/pipelines/shout/runs", json=body, headers=headers, timeout=60)

    def begin_async(self, text: str = "hi", **more: Any) -> str:
        answer = self.begin(text, headers={"Prefer": "respond-async"}, **more)
        assert answer.status_code == 202, answer.text
        run_id: str = answer.json()["id"]
        return run_id

    def get(self, path: str, *, wait_seconds: int = 0) -> httpx.Response:
        headers = {"Prefer": f"wait={wait_seconds}"} if wait_seconds else {}
        return httpx.get(f"{self.url}/v1alpha1{path}", headers=headers, timeout=90)

    def post(self, path: str) -> httpx.Response:
        return httpx.post(f"{self.url}/v1alpha1{path}", timeout=60)

    def wait_status(self, run_id: str, status: str, *, seconds: float = 30) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = self.get(f"/runs/{run_id}").json()
            if found["status"] == status:
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.1)


StartPipelines = Callable[..., PipelineServer]


@contextmanager
def starting(folder: Path, echo: Echo) -> Iterator[StartPipelines]:
    started: list[PipelineServer] = []

    def start(*arguments: str, environment: dict[str, str] | None = None) -> PipelineServer:
        (folder / "shout.yaml").write_text(DEFINITION.replace("PORT", str(echo.port)))
        server = PipelineServer(folder, arguments, environment or {})
        server.start()
        started.append(server)
        return server

    try:
        yield start
    finally:
        echo.lets_go.set()
        for server in started:
            server.stop()


@pytest.fixture
def start_pipelines(tmp_path: Path, echo: Echo) -> Iterator[StartPipelines]:
    with starting(tmp_path, echo) as start:
        yield start


@pytest.fixture
def pipelines(start_pipelines: StartPipelines) -> PipelineServer:
    return start_pipelines()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PipelineServer]:
    """A server for what changes nothing, with a small limit on bodies."""
    echo = Echo()
    with answering(echo.answer) as echo.port, starting(tmp_path_factory.mktemp("quiet"), echo) as start:
        yield start("--max_body_bytes", "100000")
