"""``modelserve pipeline work`` as users run it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from databases import RedisProcess

from modelserve.cli import main

COMMAND = [sys.executable, "-m", "modelserve.cli", "pipeline", "work"]


def test_it_shows_metrics_and_ends_with_a_signal(redis_server: RedisProcess, tmp_path: Path) -> None:
    command = [*COMMAND, "--store_url", f"sqlite:///{tmp_path}/runs.db", "--queue_url", redis_server.url]
    with subprocess.Popen([*command, "--metrics_port", "0"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = next(filter(None, (re.search(r"metrics on port (\d+)", line) for line in process.stderr)))
        metrics = httpx.get(f"http://127.0.0.1:{found[1]}/metrics", timeout=30).text
        assert "modelserve_pipeline_runs_in_progress 0.0" in metrics
        process.terminate()
        assert process.wait(60) == 0


def test_a_store_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--store_url", "sqlite:////nowhere/at/all.db", "--queue_url", "redis://127.0.0.1:1"]
    assert main(["pipeline", "work", *options]) == 1
    assert "modelserve pipeline work: the store cannot be opened" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "required: --store_url, --queue_url"),
        (
            ["--store_url", "sqlite://", "--queue_url", "localhost"],
            "no URL of Redis as redis://localhost:6379",
        ),
        (["--store_url", "x", "--queue_url", "redis://x", "--concurrency", "0"], "0 is not at least 1"),
    ],
)
def test_bad_usage(options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["pipeline", "work", *options])
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err
