"""A transformer in its predictor's pod: ready when that is, and not before."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from http_servers import free_ports

pytestmark = pytest.mark.parametrize("protocol", ["v2", "grpc-v2"])

TEXT = {"instances": ["Angela Merkel met Barack Obama in Berlin."]}


def until(is_true: Callable[[], bool]) -> None:
    patience = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < patience
        time.sleep(0.05)


class Transformer:
    """A transformer's process in front of a predictor that is not there yet."""

    def __init__(self, protocol: str) -> None:
        self.http, grpc, *self.predictor = free_ports(4)
        asked = self.predictor[protocol == "grpc-v2"]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ner_text", "--model_name", "bert-ner", "--host", "127.0.0.1"),
                *("--http_port", str(self.http), "--grpc_port", str(grpc)),
                *("--predictor_host", f"127.0.0.1:{asked}", "--predictor_protocol", protocol),
                "--enable_predictor_health_check",
            ]
        )

    def readiness(self) -> int:
        try:
            return httpx.get(f"http://127.0.0.1:{self.http}/v2/health/ready").status_code
        except httpx.TransportError:
            return 0


@pytest.fixture
def transformer(protocol: str) -> Iterator[Transformer]:
    one = Transformer(protocol)
    until(lambda: one.readiness() != 0)
    yield one
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(30) == 0


def test_it_is_ready_with_the_predictor(transformer: Transformer) -> None:
    assert transformer.readiness() == 503
    http, grpc = transformer.predictor
    command = [
        *(sys.executable, "-m", "bert_ner", "--model_dir", "samples/bert-ner", "--host", "127.0.0.1"),
        *("--http_port", str(http), "--grpc_port", str(grpc)),
    ]
    with subprocess.Popen(command) as predictor:
        try:
            until(lambda: transformer.readiness() == 200)
            answer = httpx.post(
                f"http://127.0.0.1:{transformer.http}/v1/models/bert-ner:predict", json=TEXT, timeout=60
            )
            assert [entity["text"] for entity in answer.json()["predictions"][0]] == [
                "Angela Merkel",
                "Barack Obama",
                "Berlin",
            ]
        finally:
            predictor.send_signal(signal.SIGTERM)


def test_one_that_waits_ends_when_it_is_told_to(transformer: Transformer) -> None:
    assert transformer.readiness() == 503
    transformer.process.send_signal(signal.SIGTERM)
    assert transformer.process.wait(10) == 0
