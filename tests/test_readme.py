"""The README's commands, run as they stand there but for the ports and the environment's place."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```(bash|python)\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
EXPECTED = {
    "bert-ner:predict": ("Angela Merkel", "Barack Obama", "Berlin", "PER", "LOC"),
    "bert-ner/infer": ("entities", "Angela Merkel", "sha256:", "revision"),
    "resnet-classifier:predict": ('{"labels":["cat"',),
    "modelserve predict": ("samples/images/cat.jpg\tcat",),
    "pipeline run": ('"label": "cat"', '"Barack Obama"', '"Berlin"'),
    "tritonclient": ("b'cat'",),
}


def test_every_block_is_expected_to_say_something() -> None:
    assert len(BLOCKS) == len(EXPECTED)


@pytest.mark.parametrize(("language", "block"), BLOCKS)
def test_block(server: Any, language: str, block: str) -> None:
    script = (
        block.replace("localhost:8080", f"127.0.0.1:{server.http_port}")
        .replace("localhost:8081", server.grpc_target)
        .replace(".venv/bin/modelserve", f"{sys.executable} -m modelserve.cli")
    )
    program = ["bash", "-euo", "pipefail", "-c"] if language == "bash" else [sys.executable, "-c"]
    answer = subprocess.run(
        [*program, script], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False
    )
    assert answer.returncode == 0, answer.stderr
    words = next(words for part, words in EXPECTED.items() if part in block)
    for word in words:
        assert word in answer.stdout


def test_it_is_short_enough_to_be_read() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 200
