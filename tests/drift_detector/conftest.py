"""Logged calls of a NER model, and the detector's process that they are sent to."""

from __future__ import annotations

import json
import queue
import random
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_servers import serving

from modelserve.events import Event
from modelserve.events.logfile import write_log

DIGEST = "sha256:a"
PEOPLE = ["Merkel", "Obama", "Curie", "Turing", "Lovelace", "Gauss", "Noether", "Euler"]
PLACES = ["Berlin", "Paris", "Zurich", "London", "Warsaw", "Vienna"]
ORDINARY = [
    "Yesterday {0} went to {1} by train because of the heavy snow.",
    "It was {0} who gave the first lecture in {1} that winter.",
    "Nobody in {1} had heard of {0} before the newspapers wrote about it.",
]
CHANGED = ["Gestern Abend ist {0} mit dem Zug von {1} nach Hause gefahren, weil es schneite."]


@pytest.fixture(scope="session")
def logged() -> Callable[..., list[Event]]:
    """Calls as KServe's agent logs them: the events of ordinary ones, or of changed ones."""
    chance = random.Random(3)

    def make(
        number: int, *, changed: bool = False, digest: str = DIGEST, began: float | None = None
    ) -> list[Event]:
        made = []
        for place in range(number):
            person, town = chance.choice(PEOPLE), chance.choice(PLACES)
            text = chance.choice(CHANGED if changed else ORDINARY).format(person, town)
            found = [
                {"type": kind, "text": name, "start": 0, "end": len(name), "score": chance.betavariate(20, 2)}
                for kind, name in (("PER", person), ("LOC", town))
                if chance.random() < 0.9
            ]
            tensor = {"datatype": "BYTES", "shape": [1]}
            request = {"inputs": [{"name": "text", **tensor, "data": [text]}]}
            response = {
                "model_name": "names",
                "parameters": {"revision": "names-predictor-00001", "model_digest": digest},
                "outputs": [{"name": "entities", **tensor, "data": [json.dumps(found)]}],
            }
            at = datetime.fromtimestamp(time.time() + place / 100, timezone.utc)
            identifier = uuid.UUID(int=chance.getrandbits(128)).hex
            made += [
                Event(
                    id=identifier,
                    source="http://localhost:9081/",
                    type=f"org.kubeflow.serving.inference.{side}",
                    time=at,
                    data=json.dumps(body).encode(),
                    content_type="application/json",
                    extensions={
                        "inferenceservicename": "names",
                        "namespace": "default",
                        "component": "predictor",
                    },
                )
                for side, body in (("request", request), ("response", response))
            ]
        return made

    return make


@pytest.fixture(scope="session")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Event]], Path]:
    """Writes events as a log."""

    def write(events: list[Event]) -> Path:
        path = tmp_path_factory.mktemp("log") / "events.jsonl"
        with path.open("wb") as stream:
            write_log(stream, events)
        return path

    return write


@pytest.fixture(scope="session")
def modelserve() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command, in a process."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "modelserve.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    return run


@pytest.fixture(scope="session")
def make_reference(
    logged: Callable[..., list[Event]],
    log_file: Callable[[list[Event]], Path],
    modelserve: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Path]:
    """Makes references out of logs of ordinary calls, by further flags of the command."""

    def make(*flags: object) -> Path:
        path = tmp_path_factory.mktemp("reference") / "reference.zip"
        made = modelserve(
            *("drift", "reference", "--model", "names", "--log", log_file(logged(600)), "--output", path),
            *flags,
        )
        assert made.returncode == 0, made.stderr
        return path

    return make


@pytest.fixture(scope="session")
def reference(make_reference: Callable[..., Path]) -> Path:
    """A reference out of a log of ordinary calls."""
    return make_reference()


@dataclass
class Detector:
    """A process, and what it says."""

    process: subprocess.Popen[str]
    url: str
    lines: list[str]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=30)

    def events(self) -> dict[str, float]:
        """By outcome, those that there are."""
        found = re.findall(r'modelserve_drift_events_total{outcome="(\w+)"} (\S+)', self.get("/metrics").text)
        return {outcome: float(number) for outcome, number in found if float(number)}

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def start_detector(tmp_path: Path) -> Iterator[Callable[..., Detector]]:
    """Starts detectors on the same store."""
    started: list[Detector] = []

    def start(*flags: str) -> Detector:
        command = [sys.executable, "-m", "drift_detector", "--host=127.0.0.1", "--http_port=0"]
        command += [f"--store=sqlite:///{tmp_path}/drift.db", "--window_samples=100", "--flush_seconds=0.1"]
        process = subprocess.Popen([*command, *flags], stderr=subprocess.PIPE, text=True)
        said: queue.Queue[str] = queue.Queue()
        lines: list[str] = []

        def drain() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                lines.append(line)
                if match := re.search(r"on port (\d+)", line):
                    said.put(match[1])
            said.put("")

        thread = threading.Thread(target=drain, daemon=True)
        thread.start()
        port = said.get(timeout=60)
        assert port, "".join(lines)
        detector = Detector(process, f"http://127.0.0.1:{port}", lines)
        started.append(detector)
        return detector

    yield start
    for detector in started:
        detector.process.kill()
        detector.process.wait()
        assert detector.process.stderr is not None
        detector.process.stderr.close()


@dataclass
class Inbox:
    """An HTTP server that keeps what it is sent, once it wants to."""

    status: int = 202
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    box = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if box.status == 202:
                box.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(box.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with serving(Handler) as port:
        box.url = f"http://127.0.0.1:{port}/"
        yield box


@pytest.fixture
def wait_until() -> Callable[[Callable[[], Any]], Any]:
    """Asks until there is an answer."""

    def wait(what: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 120
        while not (found := what()):
            assert time.monotonic() < deadline, "not within 120 s"
            time.sleep(0.05)
        return found

    return wait
