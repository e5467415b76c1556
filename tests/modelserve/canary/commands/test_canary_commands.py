"""``modelserve canary`` as people and CI call it: exit statuses, sentences, JSON and pages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from modelserve.canary.judge.measurements import Look
from modelserve.canary.sources.recorded import write_look
from modelserve.cli import main

POLICY = """
steps: [{percent: 10, leastSeconds: 0}, {percent: 50, leastSeconds: 0}]
lookSeconds: 0.01
warmUp: {seconds: 0, requests: 0}
checks: {disabled: [latency, labels, confidence]}
"""

# Who runs the tests in the background may have them ignore SIGINT, and so would all that they start.
INTERRUPTIBLE = """
import signal, sys
from modelserve.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(sys.argv[1:]))
"""

SERIES = {"metric": {"pod": "one-a"}, "value": [0, "1"]}


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return f"--policy={path}"


@pytest.fixture
def record(tmp_path: Path, watch: Callable[..., list[Look]], behaviour: Any) -> Callable[..., Path]:
    """A file of measurements."""

    def make(**faults: Any) -> Path:
        path = tmp_path / "looks.jsonl"
        looks = watch(behaviour(**faults), looks=40, canary_calls=200, stable_calls=400)
        path.write_bytes(b"".join(write_look(look) for look in looks))
        return path

    return make


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit status, what was printed, and what was complained of."""
    try:
        status = main(["canary", *arguments])
    except SystemExit as error:
        status = int(error.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize(("error_share", "word"), [(0.01, "promoted"), (0.2, "rolled back")])
def test_a_run_leaves_a_page(
    error_share: float,
    word: str,
    cluster: Any,
    policy: str,
    record: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "page.html"
    measurements = f"--measurements={record(error_share=error_share)}"
    status, out, _ = call(capsys, "run", "names", measurements, policy, f"--report={page}", "--json")
    assert status == (word != "promoted"), out
    assert cluster.shares == ([10, 50, None] if word == "promoted" else [10, 0])
    text = page.read_text("utf-8")
    assert f"<title>Canary of default/names: {word}</title>" in text
    assert json.loads(out.splitlines()[-1])["reason"].split(";")[0] in text or word == "promoted"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_leaves_a_page(
    how: signal.Signals, cluster: Any, policy: str, record: Callable[..., Path], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    record()
    (tmp_path / "policy.yaml").write_text(POLICY.replace("0.01", "30"))
    command = [sys.executable, "-c", INTERRUPTIBLE, "canary", "run", "names", policy]
    command += [f"--measurements={tmp_path}/looks.jsonl", f"--report={page}"]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        try:
            deadline = time.monotonic() + 60
            while cluster.percent != 10:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(2)
            run.send_signal(how)
            _, complaint = run.communicate(timeout=60)
        finally:
            run.kill()
    assert run.returncode == 130
    assert b"the traffic of names is left as it is" in complaint
    assert b"Traceback" not in complaint
    text = page.read_text("utf-8")
    assert "two was neither promoted nor rolled back" in text
    assert "It was interrupted: the traffic of names is left as it is" in text


@pytest.mark.parametrize("option", ["--report", "--record"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_moved(
    option: str,
    cluster: Any,
    policy: str,
    record: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = tmp_path / "nosuch" / "file"
    arguments = ("run", "names", f"--measurements={record()}", policy, f"{option}={wrong}")
    status, _, complaint = call(capsys, *arguments)
    assert (status, cluster.shares) == (2, [])
    assert complaint == f"modelserve canary: {wrong} cannot be written: No such file or directory\n"


def test_nothing_is_written_over_measurements(
    cluster: Any, policy: str, record: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record()
    there = path.read_bytes()
    also = tmp_path / "nosuch" / ".." / path.name
    for arguments in (
        ("run", "names", f"--measurements={path}", policy, f"--record={also}"),
        ("run", "names", f"--measurements={path}", policy, f"--report={path}"),
        ("report", str(path), policy, f"--output={also}"),
    ):
        status, _, complaint = call(capsys, *arguments)
        assert (status, cluster.shares, path.read_bytes()) == (2, [], there)
        assert complaint.endswith("looks.jsonl is named for two things; a file for each is accepted\n")


def test_measurements_that_are_not_there(cluster: Any, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, complaint = call(capsys, "run", "names", "--measurements=nosuch")
    assert (status, cluster.shares) == (2, [])
    assert complaint == "modelserve canary: nosuch cannot be read: No such file or directory\n"


def test_a_run_without_measurements_does_not_begin(
    cluster: Any, policy: str, prometheus: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address, _ = prometheus
    page = tmp_path / "page.html"
    arguments = (f"--prometheus={address}", "--wait_seconds=0.1", f"--report={page}")
    status, _, complaint = call(capsys, "run", "names", policy, *arguments)
    assert (status, cluster.shares) == (2, [])
    assert complaint.startswith("modelserve canary: Prometheus has seen nothing of one within a day")
    assert "It ended early: Prometheus has seen nothing of one" in page.read_text("utf-8")


@pytest.mark.parametrize("text", ["localhost:9090", "ftp://prometheus", "prometheus"])
def test_what_is_no_address_is_told(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, complaint = call(capsys, "plan", "names", f"--prometheus={text}")
    assert status == 2
    assert complaint.splitlines()[-1].endswith(f"{text!r} is no address as http://localhost:9090")


def test_a_plan_tells_what_a_run_would_do(
    cluster: Any, policy: str, prometheus: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    address, series = prometheus
    asks = ("plan", "names", f"--prometheus={address}", policy)
    status, out, _ = call(capsys, *asks)
    assert (status, out.splitlines()[-1].partition("Prometheus")[0]) == (1, "cannot begin now: ")
    series.append(SERIES)
    status, out, _ = call(capsys, *asks)
    assert (status, cluster.shares) == (0, [])
    assert out.splitlines() == [
        "two has 0% of the calls, one the rest; both are ready",
        " 10% for 0 to 1800 s",
        " 50% for 0 to 1800 s",
        "then all calls",
        "checked every 0.01 s: errors",
        "at a step's end without a verdict: rollback",
        "can begin now",
    ]
    cluster.percent = 60
    status, out, _ = call(capsys, *asks, "--json")
    found = json.loads(out)
    assert (status, found["can_begin"], found["first_step"], found["canary"]) == (0, True, 1, "two")
    assert found["steps"][1] == {"percent": 50, "least_seconds": 0.0, "most_seconds": 1800.0}


def test_a_plan_tells_why_it_cannot_begin(
    cluster: Any, prometheus: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    address, series = prometheus
    series.append(SERIES)
    asks = ("plan", "names", f"--prometheus={address}", "--json")
    cluster.failure = "it crashes"
    status, out, _ = call(capsys, *asks)
    assert (status, json.loads(out)["obstacles"]) == (1, ["the canary does not start: it crashes"])
    status, out, _ = call(capsys, "plan", "others", f"--prometheus={address}", "--json")
    (sentence,) = json.loads(out)["obstacles"]
    assert (status, "there is no InferenceService default/others" in sentence) == (1, True)
    cluster.newest = "one"
    status, out, _ = call(capsys, *asks)
    found = json.loads(out)
    assert (status, found["can_begin"]) == (3, False)
    assert found["obstacles"][0].startswith("the newest revision of names, one, has all calls already")


@pytest.mark.parametrize(
    ("action", "revision", "shares"),
    [("promote", "two", [None]), ("abort", "one", [0]), ("rollback", "one", [0])],
)
def test_a_move_is_told_when_it_is_seen(
    action: str, revision: str, shares: Sequence[int | None], cluster: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.percent = 10
    status, out, _ = call(capsys, action, "names", "--json")
    assert (status, cluster.shares) == (0, shares)
    found = json.loads(out)
    assert (found["action"], found["revision"], found["done"]) == (action, revision, True)
    assert (found["service"], found["namespace"], found["stable"]) == ("names", "default", revision)
    assert found["percent"] == 0


@pytest.mark.parametrize("as_json", [False, True])
def test_a_move_that_does_not_come_about(
    as_json: bool, cluster: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.percent, cluster.is_stuck = 10, True
    more = ["--json"] if as_json else []
    status, out, complaint = call(capsys, "abort", "names", "--timeout_seconds=0.1", *more)
    told = json.loads(out)["reason"] if as_json else complaint
    assert status == 1
    assert "all calls were asked for one, and 0.1 s later: two has 10% of the calls, one the rest" in told


def test_a_rollback_goes_back_after_a_promotion(cluster: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "promote", "names")[:2] == (0, "two has all calls\n")
    status, out, _ = call(capsys, "rollback", "names")
    assert (status, cluster.shares) == (0, [None, 0])
    assert out == "two has 0% of the calls, one the rest; both are ready\n"
    assert call(capsys, "status", "names")[0] == 0, "the newest one is a canary again"


def test_there_is_nothing_to_go_back_to(cluster: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.rolled_out = "two"
    status, _, complaint = call(capsys, "rollback", "names")
    assert (status, cluster.shares) == (2, [])
    assert complaint == (
        "modelserve canary: there is nothing to go back to: no revision of names had all calls before two\n"
    )
    status, out, _ = call(capsys, "status", "names", "--json")
    assert (status, json.loads(out)["stable"]) == (3, "two")


def test_a_record_is_judged_again(
    record: Callable[..., Path], policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    asks = ("report", str(record(error_share=0.2)), policy, f"--output={page}")
    status, out, _ = call(capsys, *asks)
    assert (status, out.splitlines()[0].split()[0]) == (1, "fail")
    assert "The canary was judged by what was recorded of it; the last verdict: fail." in page.read_text()
    record()
    status, out, _ = call(capsys, *asks, "--json")
    assert (status, json.loads(out)["verdict"]) == (0, "pass")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("", "no look was recorded"),
        ("{}\n", "line 1 of looks.jsonl is no look: at_seconds: Field required"),
        (
            '{"at_seconds": 1e13, "canary": {}, "stable": {}}\n',
            "a look was recorded at 1e+13 s; seconds since",
        ),
    ],
)
def test_a_record_that_is_none(
    lines: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("looks.jsonl").write_text(lines)
    status, _, complaint = call(capsys, "report", "looks.jsonl", "--output=page.html")
    assert status == 2
    assert complaint.startswith(f"modelserve canary: {sentence}")


def test_a_picture_that_cannot_be_written_is_told_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, complaint = call(capsys, "simulate", f"--plot={tmp_path}/nosuch/a.png")
    assert (status, out) == (2, "")
    assert "cannot be written: No such file or directory" in complaint
    status, out, complaint = call(capsys, "simulate", f"--plot={tmp_path}/a.b")
    assert (status, out) == (2, "")
    assert "a.b ends with no format of pictures; .avif, " in complaint


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("", (), "is empty; a V2 request in JSON is accepted"),
        ('{"instances": []}', (), "line 1"),
        ('{"inputs": []}', ("--kind=service",), "--kind service is not probed"),
    ],
)
def test_probes_that_cannot_be_sent_are_told_before_anything_is_moved(
    content: str,
    options: Sequence[str],
    said: str,
    cluster: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    probes = tmp_path / "probes.json"
    probes.write_text(content)
    status, _, complaint = call(capsys, "run", "names", f"--probe={probes}", *options)
    assert (status, cluster.shares) == (2, [])
    assert said in complaint


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:http", "http://localhost:80", "a b:1", "h:0", "h:65536"]
)
def test_an_ingress_that_is_none(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, complaint = call(capsys, "run", "names", "--probe=probes.json", f"--probe_address={address}")
    assert status == 2
    assert f"{address!r} is no host with a port as localhost:8080" in complaint


def test_settings_of_probes_without_probes(cluster: Any, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, complaint = call(capsys, "run", "names", "--prometheus=http://localhost:1", "--probe_rate=5")
    assert (status, cluster.shares) == (2, [])
    assert "--probe_rate is of probes; it is accepted with --probe" in complaint
