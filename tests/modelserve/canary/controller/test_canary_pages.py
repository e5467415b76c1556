"""What the controller answers by HTTP, and that it says why it cannot begin."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge

from modelserve.canary.controller.pages import Pages, serve_pages
from modelserve.cli import main
from modelserve.server.workers import StartError


@pytest.fixture
def wellness() -> list[bool]:
    """Whether the process is well, as its last element says."""
    return [True]


@pytest.fixture
def pages(process: Any, wellness: list[bool]) -> Iterator[str]:
    registry = CollectorRegistry()
    Gauge("modelserve_a", "", registry=registry).set(7)
    server = serve_pages(Pages(registry, process.journal, is_well=lambda: wellness[-1]), "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_where_the_newest_canary_of_a_service_stands(pages: str, world: Any, process: Any) -> None:
    page = f"{pages}/canaries/default/names"
    assert (answer := httpx.get(page)).status_code == 404
    assert answer.json() == {"error": "default/names has had no canary"}
    world.bring(2)
    process.reach("Watching")
    said = httpx.get(page).json()
    assert (said["phase"], said["percent"]) == ("watching", 10)
    process.run()
    assert httpx.get(page).json()["phase"] == "promoted"


def test_metrics_and_wellness(pages: str, wellness: list[bool]) -> None:
    assert "modelserve_a 7.0" in httpx.get(f"{pages}/metrics").text
    for name in ("live", "ready"):
        assert httpx.get(f"{pages}/health/{name}").json() == {"ok": True}
    wellness.append(False)
    assert httpx.get(f"{pages}/health/live").status_code == 503


@pytest.mark.parametrize("path", ["", "/canaries", "/canaries/default", "/health", "/canaries/a/b/c"])
def test_other_paths_and_methods_are_told_what_there_is(pages: str, path: str) -> None:
    answer = httpx.get(f"{pages}{path}")
    assert answer.status_code == 404
    assert "/canaries/NAMESPACE/SERVICE" in answer.json()["error"]
    assert httpx.post(f"{pages}/health/live").json() == {"error": "POST is not accepted; GET is"}


def test_a_journal_that_is_away_is_said(pages: str, process: Any, tmp_path: Path) -> None:
    (store,) = tmp_path.glob("*.db")
    process.journal.close()
    store.unlink()
    store.mkdir()
    answer = httpx.get(f"{pages}/canaries/default/names")
    assert answer.status_code == 503
    assert "the store cannot be used" in answer.json()["error"]


def test_a_port_that_is_taken_is_said(pages: str, process: Any) -> None:
    port = int(pages.rpartition(":")[2])
    with pytest.raises(StartError, match=f"127.0.0.1:{port} cannot be listened on"):
        serve_pages(Pages(CollectorRegistry(), process.journal, is_well=lambda: True), "127.0.0.1", port)


def controller(tmp_path: Path, *arguments: str, kubeconfig: str = "") -> subprocess.CompletedProcess[str]:
    config = tmp_path / "kubeconfig"
    config.write_text(kubeconfig)
    return subprocess.run(
        [sys.executable, "-m", "modelserve.cli", "canary", "controller", *arguments],
        env={"KUBECONFIG": str(config), "PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )


@pytest.mark.parametrize(
    "argument",
    [
        "--http_port=many",
        "--http_port=70000",
        "--webhook_port=-1",
        "--http_host=",
        "--webhook_name=a name",
        "--webhook_name=ü.example.com",
        "--event_sink=broker",
        "--keep_days=0",
    ],
)
def test_an_argument_that_is_none_is_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["canary", "controller", argument])
    assert ended.value.code == 2
    assert f"argument {argument.partition('=')[0]}: " in capsys.readouterr().err


def test_why_it_cannot_begin_is_a_sentence(tmp_path: Path) -> None:
    done = controller(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("modelserve canary controller: ")
    assert "Traceback" not in done.stderr
