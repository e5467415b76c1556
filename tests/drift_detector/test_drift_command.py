"""``modelserve drift``: one machine, a file of logged events, the same detectors."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelserve.events import Event

Logged = Callable[..., list[Event]]
LogFile = Callable[[list[Event]], Path]
Command = Callable[..., subprocess.CompletedProcess[str]]


def test_ordinary_calls_raise_no_alarm(
    logged: Logged, log_file: LogFile, modelserve: Command, reference: Path
) -> None:
    done = modelserve("drift", "check", log_file(logged(600)), "--reference", reference)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split("  ")[5] for line in lines[:3]] == ["steady"] * 3
    assert lines[3:] == ["events     paired: 1200", "alarm      no"]


def test_changed_calls_raise_one(
    logged: Logged, log_file: LogFile, modelserve: Command, reference: Path, tmp_path: Path
) -> None:
    log, page = log_file(logged(400) + logged(400, changed=True)), tmp_path / "report.html"
    done = modelserve("drift", "check", log, "--reference", reference, "--html", page)
    assert done.returncode == 1, done.stderr
    assert "ALARM  language (chi_squared, effect" in done.stdout
    assert "Gestern Abend" in page.read_text()
    done = modelserve("drift", "check", log, "--reference", reference, "--json")
    said = json.loads(done.stdout)
    assert said["alarm"] is True
    assert said["events"] == {"paired": 1600}
    assert [one["outcome"] for one in said["windows"]] == ["steady", "steady", "drift", "drift"]


@pytest.mark.parametrize(
    "flags", [["--detectors", "cramer_von_mises,chi_squared"], ["--correction", "bonferroni"]]
)
def test_other_detectors(
    flags: list[str], logged: Logged, log_file: LogFile, modelserve: Command, reference: Path
) -> None:
    log = log_file(logged(400, changed=True))
    assert modelserve("drift", "check", log, "--reference", reference, *flags).returncode == 1


def test_windows_that_do_not_tell(
    logged: Logged, log_file: LogFile, modelserve: Command, reference: Path
) -> None:
    few = modelserve("drift", "check", log_file(logged(40)), "--reference", reference)
    assert few.returncode == 3
    assert "no feature has 50 samples in the window (40)" in few.stdout
    one = modelserve("drift", "check", log_file(logged(200, changed=True)), "--reference", reference)
    assert one.returncode == 3
    assert "too few windows to tell" in one.stdout
    other = modelserve("drift", "check", log_file(logged(200, digest="sha256:b")), "--reference", reference)
    assert other.returncode == 3
    assert "no reference of the weights sha256:b (of other weights there are: sha256:a)" in other.stdout


def test_events_that_are_of_no_use_are_counted(
    logged: Logged, log_file: LogFile, modelserve: Command, reference: Path
) -> None:
    events = logged(200)
    odd = Event(id="1", source="/s", type="other", time=events[0].time)
    log = log_file([*events, events[0], odd, *logged(1)[:1]])
    done = modelserve("drift", "check", log, "--reference", reference, "--json")
    assert json.loads(done.stdout)["events"] == {
        "paired": 400,
        "duplicate": 1,
        "half_request": 1,
        "unknown_type": 1,
    }


def test_bad_usage(log_file: LogFile, modelserve: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{}\n")
    for arguments, said in (
        (["check"], "FILE"),
        (["check", tmp_path / "none"], "No such file"),
        (["check", tmp_path / "bad.jsonl"], "line 1"),
        (["check", log_file([]), "--reference", tmp_path / "none"], "cannot be read"),
        (["check", log_file([]), "--min_effect", "2"], "min_effect"),
        (["reference", "--model", "x"], "give --output FILE, --store URL, or both"),
        (["reference", "--model", "x", "--output", "y"], "give --log FILE, or samples"),
        (["reference", "--model", "x", "--output", "y", "--log", "z", "--since", "then"], "is no time"),
        (["report", "--store", "nosuch"], "a URL as sqlite"),
    ):
        done = modelserve("drift", *arguments)
        assert (done.returncode, said in done.stderr) == (2, True), (arguments, done.stderr)


def test_references_that_cannot_be_made(
    logged: Logged, log_file: LogFile, modelserve: Command, tmp_path: Path
) -> None:
    output = tmp_path / "reference.zip"
    texts = tmp_path / "texts.txt"
    texts.write_text("a text\n" * 3)
    two = log_file(logged(100) + logged(100, digest="sha256:b"))
    for arguments, said in (
        (["--log", log_file(logged(20))], "20 texts or images are too few; at least 100"),
        (["--log", two], "of several weights (sha256:a, sha256:b)"),
        (["--log", two, "--revision", "nosuch"], "0 texts or images are too few"),
        (["--log", two, "--until", "2020-01-01"], "0 texts or images are too few"),
        (["--text_file", texts, "--url", "http://127.0.0.1:1"], "does not answer as a V2 server"),
        (["--log", two, "--model_dir", tmp_path / "none"], "is no folder"),
    ):
        done = modelserve("drift", "reference", "--model", "names", "--output", output, *arguments)
        assert (done.returncode, said in done.stderr) == (1, True), (arguments, done.stderr)
    assert not output.exists()


def test_a_reference_of_a_server(server: Any, modelserve: Command, tmp_path: Path) -> None:
    """Of the sample models, over V2: texts and images."""
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(f"Number {n}: Angela Merkel met somebody in Berlin." for n in range(120)))
    root = Path(__file__).parents[2]
    output = tmp_path / "names.zip"
    done = modelserve(
        *("drift", "reference", "--model", "bert-ner", "--model_dir", root / "samples" / "bert-ner"),
        *("--url", server.url, "--text_file", texts, "--output", output),
        *("--store", f"sqlite:///{tmp_path}/drift.db"),
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(output) as archive:
        about = json.loads(archive.read("reference.json"))
        assert "assets/tokenizer.json" in archive.namelist()
    assert about["samples"] == 120
    assert about["model_digest"].startswith("sha256:")
    assert {"length", "language", "has_PER", "embedding"} <= set(about["features"])
    empty = modelserve("drift", "report", "--store", f"sqlite:///{tmp_path}/drift.db")
    assert empty.returncode == 3
