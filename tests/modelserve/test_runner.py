"""Servers as processes: how they start, fail to start and stop."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return _run("-m", *arguments)


def run_code(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _run("-c", code, *arguments)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)


def test_a_taken_port_is_said_and_is_status_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        common = ("bert_ner", "--model_dir", "samples/bert-ner", "--host", "127.0.0.1")
        http = run(*common, "--http_port", port, "--grpc_port", "0")
        assert (http.returncode, f"port {port} for REST" in http.stderr) == (1, True), http.stderr
        grpc = run(*common, "--http_port", "0", "--grpc_port", port)
        assert (grpc.returncode, f"port {port} for gRPC" in grpc.stderr) == (1, True), grpc.stderr


def test_a_folder_that_is_no_model_is_said_and_is_status_1(tmp_path: Path) -> None:
    common = ("--host", "127.0.0.1", "--http_port", "0", "--grpc_port", "0")
    for unit in ("bert_ner", "resnet_classifier"):
        answer = run(unit, "--model_dir", str(tmp_path), *common)
        assert answer.returncode == 1
        assert str(tmp_path) in answer.stderr
        assert "Traceback" not in answer.stderr
    missing = run("bert_ner", "--model_dir", str(tmp_path / "none"), *common)
    assert missing.returncode == 1
    served = run("modelserve.cli", "serve", "--model", f"x={tmp_path}", *common)
    assert (served.returncode, "bert_ner" in served.stderr) == (1, True)


def test_a_server_without_a_model_is_bad_usage() -> None:
    assert run("bert_ner").returncode == 2
    assert run("modelserve.cli", "serve").returncode == 2
    assert run("modelserve.cli", "serve", "--model", "x").returncode == 1


_LOOKED_AT = """
import gc, json, os, signal, sys
from pathlib import Path
from modelserve.server.main import run_server
from modelserve.settings import PredictorSettings, parse_settings

settings = parse_settings(PredictorSettings, sys.argv[1:], program="server")

def build():
    from bert_ner.model import BertNer
    return [BertNer("bert-ner", Path("samples/bert-ner"), settings, version=None, digest=None)]

def announce(http_port, grpc_port):
    from modelserve.execution import Execution
    looked_at = gc.get_objects()
    loaded = sum(isinstance(one, Execution) for one in looked_at)
    print(json.dumps([gc.get_threshold()[0], gc.get_freeze_count(), len(looked_at), loaded]), flush=True)
    os.kill(os.getpid(), signal.SIGINT)

sys.exit(run_server(build, settings, announce))
"""


def test_a_server_looks_for_garbage_rarely_and_among_what_may_go() -> None:
    common = ("--host", "127.0.0.1", "--http_port", "0", "--grpc_port", "0")
    answer = run_code(_LOOKED_AT, *common)
    assert answer.returncode == 0, answer.stderr
    threshold, frozen, looked_at, loaded = json.loads(answer.stdout.splitlines()[-1])
    assert threshold == 10_000
    assert frozen > 2 * looked_at, "the modules are not among them"
    assert loaded == 1, "a model that is unloaded has to go, with whatever refers to itself in it"


def test_a_call_in_progress_at_sigterm_is_answered(start_server: Any) -> None:
    own = start_server("bert_ner", "--model_dir", "samples/bert-ner")
    texts = ["Angela Merkel met Barack Obama in Berlin. " * 400] * 4
    answers: list[httpx.Response] = []
    call = threading.Thread(
        target=lambda: answers.append(own.post("/v1/models/bert-ner:predict", json={"instances": texts}))
    )
    call.start()
    while not started(own):
        time.sleep(0.01)
    assert not answers
    assert own.stop() == 0
    call.join(60)
    assert [answer.status_code for answer in answers] == [200]
    assert len(answers[0].json()["predictions"][0]) == 1200


def started(server: Any) -> int:
    """Batches that the engine has computed."""
    stats = server.get("/v2/models/bert-ner/stats").json()["model_stats"][0]
    count: int = stats["execution_count"]
    return count
