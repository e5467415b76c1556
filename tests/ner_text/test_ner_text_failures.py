"""What callers are told when the predictor does not answer, by the transformer's process."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

V1 = "/v1/models/bert-ner:predict"
BODY = {"instances": ["Angela Merkel lives in Berlin."]}

PROBE = """
import json, sys
import ner_text.model
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


class _Busy(BaseHTTPRequestHandler):
    """A predictor with a full queue or, for a text that says so, one that takes its time."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if b"slowly" in body:
            self.server.released.wait(20)  # type: ignore[attr-defined]
        answer = json.dumps({"error": "the queue is full with 3 calls; try again after 7 s"}).encode()
        self.send_response(429)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def busy(start_module_server: Any) -> Iterator[Any]:
    """A transformer in front of such a predictor."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Busy) as predictor:
        predictor.released = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=predictor.serve_forever)
        thread.start()
        yield start_module_server("ner_text", "--predictor_host", f"127.0.0.1:{predictor.server_port}")
        predictor.released.set()  # type: ignore[attr-defined]
        predictor.shutdown()
        thread.join()


def test_an_overloaded_predictor(busy: Any) -> None:
    answer = busy.post(V1, json=BODY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json() == {"error": "predictor: the queue is full with 3 calls; try again after 7 s"}


def test_a_deadline(busy: Any) -> None:
    body = {"instances": ["It works slowly."]}
    answer = busy.post(V1, json=body, headers={"X-Request-Timeout-Ms": "300"})
    assert answer.status_code == 504
    assert answer.json()["error"].startswith("the predictor did not answer within 0.")


@pytest.mark.parametrize("protocol", ["v2", "grpc-v2"])
def test_no_predictor(start_server: Any, protocol: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    running = start_server(
        "ner_text", "--predictor_host", f"127.0.0.1:{port}", "--predictor_protocol", protocol
    )
    assert running.get("/v2/health/ready").status_code == 200
    answer = running.post(V1, json=BODY)
    assert answer.status_code == 503, answer.text
    assert "predictor" in answer.json()["error"]
    # What holds no text needs no predictor.
    assert running.post(V1, json={"instances": ["", "\n"]}).json() == {"predictions": [[], []]}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "--predictor_host is needed"),
        (["--predictor_host", "x", "--predictor_batch", "0"], "--predictor_batch: "),
        (["--predictor_host", "x", "--language", "English"], "--language: "),
    ],
)
def test_wrong_flags_end_at_once(flags: list[str], said: str) -> None:
    ended = run("-m", "ner_text", *flags)
    assert ended.returncode == 2
    assert said in ended.stderr


def test_no_engine_and_no_tokenizer_is_imported() -> None:
    ended = run("-c", PROBE)
    assert ended.returncode == 0, ended.stderr
    assert not {"tokenizers", "onnxruntime", "onnx", "torch", "PIL"} & set(json.loads(ended.stdout))
