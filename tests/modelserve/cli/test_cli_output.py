"""What becomes of a command whose output nobody reads any more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelserve.cli import cost, main

PLAN = Path(__file__).parents[1] / "cost" / "data" / "dev" / "plan.json"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_ends_it_quietly(unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "modelserve.cli", "cost", f"dev={PLAN}"],
            stdout=writer,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_another_pipe_that_breaks_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: object) -> int:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            return os.write(writer, b"x")
        finally:
            os.close(writer)

    monkeypatch.setattr(cost, "run", run)
    with pytest.raises(BrokenPipeError):
        main(["cost", f"dev={PLAN}"])
