"""The gate of nightly benchmarks, as the workflow calls it, on the results that are in the repository."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "benchmarks" / "results.json"


@pytest.fixture
def results() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(RESULTS.read_text("utf-8"))
    return copy.deepcopy(loaded)


def judge(results: Any, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    later = tmp_path / "results.json"
    later.write_text(json.dumps(results))
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.regressions", RESULTS, later, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def slow_down(results: dict[str, Any], share: float, contender: str = "modelserve") -> None:
    of = results["measures"]["throughput"]["image"]
    of["rounds"][contender] = [rate * share for rate in of["rounds"][contender]]
    of["per_second"][contender] *= share


def worse(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split("|")[1].strip() for line in done.stdout.splitlines() if "**worse**" in line]


def test_the_same_is_not_worse(results: dict[str, Any], tmp_path: Path) -> None:
    done = judge(results, tmp_path)
    assert (done.returncode, worse(done)) == (0, []), done.stdout
    assert done.stdout.count("\n| ") >= 12


def test_a_slower_server_is_worse(results: dict[str, Any], tmp_path: Path) -> None:
    slow_down(results, 0.8)
    done = judge(results, tmp_path)
    assert done.returncode == 1
    assert worse(done) == [
        "throughput, ResNet-50, over the direct call's in its best batch",
        "throughput, ResNet-50, over the best peer's",
    ]
    assert judge(results, tmp_path, "--tolerated", "0.25").returncode == 0


def test_a_slower_machine_is_not(results: dict[str, Any], tmp_path: Path) -> None:
    for contender in results["measures"]["throughput"]["image"]["rounds"]:
        slow_down(results, 0.5, contender)
    for of in results["measures"]["latency"].values():
        of["rounds"] = {name: [2 * one for one in rounds] for name, rounds in of["rounds"].items()}
    assert judge(results, tmp_path).returncode == 0


def test_another_best_peer_is_the_same_ratio(results: dict[str, Any], tmp_path: Path) -> None:
    slow_down(results, 1.5, "MLServer")
    done = judge(results, tmp_path)
    assert worse(done) == ["throughput, ResNet-50, over the best peer's"]
    assert "not measured" not in done.stdout


def test_what_should_be_nothing_and_is_something_is_worse(results: dict[str, Any], tmp_path: Path) -> None:
    results["measures"]["drain"]["exit_statuses"] = {"0": 99, "1": 1}
    assert worse(judge(results, tmp_path)) == ["SIGTERM under load, exits with another status than 0"]


def test_what_was_not_measured_is_worse(results: dict[str, Any], tmp_path: Path) -> None:
    del results["measures"]["overload"]
    done = judge(results, tmp_path)
    assert (done.returncode, len(worse(done))) == (1, 4)
    assert "not measured" in done.stdout


@pytest.mark.parametrize("broken", [{}, {"quick": False, "measures": {"drain": {}}}, []])
def test_what_is_no_result_is_refused(broken: Any, tmp_path: Path) -> None:
    done = judge(broken, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "this is not a results.json of the suite" in done.stderr


def test_a_quick_run_is_refused(results: dict[str, Any], tmp_path: Path) -> None:
    done = judge({**results, "quick": True}, tmp_path)
    assert done.returncode == 2
    assert "a quick run" in done.stderr
