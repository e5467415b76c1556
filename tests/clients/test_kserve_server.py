"""The predictors under KServe's own ``ModelServer``: they are KServe models, whatever serves them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
from pathlib import Path
from kserve import ModelServer
from bert_ner.model import BertNer
from modelserve.settings import EngineSettings
model = BertNer("bert-ner", Path("samples/bert-ner"), EngineSettings())
model.load()
ModelServer(http_port={port}, enable_grpc=False).start([model])
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SCRIPT.format(port=port)]
    process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            if httpx.get(f"{url}/v2/health/ready").status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.1)
        assert process.poll() is None
    yield url
    process.terminate()
    process.wait(30)


def test_v1(url: str) -> None:
    body = {"instances": ["Angela Merkel met Barack Obama in Berlin."]}
    answer = httpx.post(f"{url}/v1/models/bert-ner:predict", json=body).json()
    assert [entity["type"] for entity in answer["predictions"][0]] == ["PER", "PER", "LOC"]


def test_v2(url: str) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Angela Merkel slept."]}
    answer = httpx.post(f"{url}/v2/models/bert-ner/infer", json={"inputs": [tensor]}).json()
    assert "Angela Merkel" in answer["outputs"][0]["data"][0]
    assert answer["parameters"]["revision"] == "local"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/bert-ner:predict", {"instances": [7]}),
        (
            "/v2/models/bert-ner/infer",
            {"inputs": [{"name": "words", "datatype": "BYTES", "shape": [1], "data": ["x"]}]},
        ),
    ],
)
def test_a_callers_mistake_is_400_there_too(url: str, path: str, body: dict[str, object]) -> None:
    assert httpx.post(f"{url}{path}", json=body).status_code == 400
