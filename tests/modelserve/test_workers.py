"""Several workers behind one pair of ports, as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tritonclient.grpc import InferenceServerClient

V1 = "/v1/models/bert-ner:predict"
BODY = {"instances": ["Angela Merkel met Barack Obama in Berlin."]}


def total(server: Any, name: str) -> float:
    families = text_string_to_metric_families(server.get("/metrics").text)
    return sum(s.value for family in families for s in family.samples if s.name == name)


def children(server: Any) -> list[int]:
    path = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
    with open(path, encoding="ascii") as file:  # noqa: PTH123 - no regular file
        return [int(word) for word in file.read().split()]


@pytest.fixture
def server(start_server: Any) -> Any:
    server = start_server("bert_ner", "--model_dir", "samples/bert-ner", "--workers", "2")
    while total(server, "modelserve_model_loaded") < 1:  # the least of both
        time.sleep(0.05)
    return server


def test_workers_answer_together_and_count_together(server: Any) -> None:
    assert len(children(server)) == 2

    def ask(_: int) -> int:  # a connection each, which one of the workers takes
        return httpx.post(f"{server.url}{V1}", json=BODY, timeout=60).status_code

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(60))) == [200] * 60
    assert {total(server, "modelserve_requests_total") for _ in range(5)} == {60}
    with InferenceServerClient(server.grpc_target) as client:
        assert client.is_server_ready()
    refused = server.post("/v2/repository/models/bert-ner/unload")
    assert refused.status_code == 400
    assert "several workers" in refused.json()["error"]


def test_a_worker_that_dies_is_started_again(server: Any) -> None:
    killed, survivor = children(server)
    os.kill(killed, signal.SIGKILL)
    while killed in (now := children(server)) or survivor not in now or len(now) != 2:
        time.sleep(0.05)
    assert server.post(V1, json=BODY).status_code == 200
    assert server.stop() == 0


def test_workers_that_cannot_start_end_the_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bert_ner", "--model_dir", str(tmp_path), "--workers", "2"]
    command += ["--host", "127.0.0.1", "--http_port", "0", "--grpc_port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert str(tmp_path) in ended.stderr
    assert "Traceback" not in ended.stderr
