"""The detector as a process: events in, verdicts, metrics, notices and pages out, across its own death."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from cloudevents.http import from_http

from modelserve.events import Event, write_event

Logged = Callable[..., list[Event]]


def send(url: str, events: list[Event]) -> None:
    with httpx.Client(timeout=30) as client:
        for event in events:
            headers, body = write_event(event)
            assert client.post(url, headers=headers, content=body).status_code == 202


def check_schema(verdict: dict[str, Any]) -> None:
    schema = files("modelserve.events").joinpath("schemas/dev.modelserve.drift.detected.json").read_text()
    validator = jsonschema_rs.validator_for(json.loads(schema))
    validator.validate(verdict)


def test_from_events_to_an_alarm(
    start_detector: Callable[..., Any], reference: Path, logged: Logged, inbox: Any, wait_until: Any
) -> None:
    detector = start_detector(f"--references={reference}", f"--notify_url={inbox.url}")
    send(detector.url, logged(200))
    wait_until(lambda: len(detector.get("/verdicts").json()) == 2)
    assert [one["outcome"] for one in detector.get("/verdicts").json()] == ["steady", "steady"]
    send(detector.url, logged(200, changed=True))
    verdicts = wait_until(lambda: (said := detector.get("/verdicts").json()) and len(said) == 4 and said)
    assert [one["alarm"] for one in verdicts] == [False, False, False, True]
    assert verdicts[-1]["features"][0]["feature"] == "language"
    for verdict in verdicts:
        check_schema(verdict)
    wait_until(lambda: detector.events() == {"paired": 800})
    whose = 'baseline="reference",model="names",namespace="default",revision="names-predictor-00001"'
    metrics = detector.get("/metrics").text
    assert f"modelserve_drift_detected{{{whose}}} 1.0" in metrics
    assert f'modelserve_drift_p_value{{{whose[:20]},detector="chi_squared",feature="language"' in metrics
    (notice,) = wait_until(lambda: inbox.received)
    event = from_http(*notice)
    assert event["type"] == "dev.modelserve.drift.detected"
    assert event["subject"] == "default/names/predictor/names-predictor-00001"
    assert event.data == verdicts[-1]
    page = detector.get("/report")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<svg" in page.text
    assert "Gestern Abend" in page.text
    assert detector.end(signal.SIGTERM) == 0


def test_killed_and_started_again(
    start_detector: Callable[..., Any], reference: Path, logged: Logged, wait_until: Any
) -> None:
    events = logged(150)
    first = start_detector(f"--references={reference}")
    send(first.url, events[:240])
    wait_until(lambda: first.events() == {"paired": 240})
    assert first.end(signal.SIGKILL) < 0
    second = start_detector()
    send(second.url, events)
    # What was told before is not told again; a call whose half came before is a repetition or new, whole.
    wait_until(lambda: sum(second.events().values()) == 300)
    found = second.events()
    assert found["duplicate"] + found["paired"] == 300
    send(second.url, logged(50))
    verdicts = wait_until(lambda: (said := second.get("/verdicts").json()) and len(said) == 2 and said)
    assert [one["samples"] for one in verdicts] == [100, 100]
    assert second.end(signal.SIGTERM) == 0


def test_an_alarm_waits_for_a_sink_that_is_away(
    start_detector: Callable[..., Any], reference: Path, logged: Logged, inbox: Any, wait_until: Any
) -> None:
    inbox.status = 503
    first = start_detector(f"--references={reference}", f"--notify_url={inbox.url}")
    send(first.url, logged(200, changed=True))
    wait_until(lambda: len(first.get("/verdicts").json()) == 2)
    assert first.end(signal.SIGTERM) == 0
    assert inbox.received == []
    inbox.status = 202
    start_detector(f"--notify_url={inbox.url}")
    assert len(wait_until(lambda: inbox.received)) == 1


def test_references_by_http(
    start_detector: Callable[..., Any], reference: Path, logged: Logged, wait_until: Any
) -> None:
    detector = start_detector()
    send(detector.url, logged(100))
    (verdict,) = wait_until(lambda: detector.get("/verdicts").json())
    assert verdict["outcome"] == "no_verdict"
    assert "there is no reference of the weights sha256:a" in verdict["reason"]
    check_schema(verdict)
    page = detector.get("/report").text
    assert "no reference of the weights" in page
    refused = httpx.put(f"{detector.url}/references", content=b"no zip")
    assert refused.status_code == 400
    assert "a file of `modelserve drift reference` is accepted" in refused.json()["error"]
    added = httpx.put(f"{detector.url}/references", content=reference.read_bytes())
    assert (added.status_code, added.json()["samples"]) == (201, 600)
    send(detector.url, logged(100))
    wait_until(lambda: len(detector.get("/verdicts").json()) == 2)
    assert detector.get("/verdicts").json()[-1]["outcome"] == "steady"


def test_inputs_are_not_kept_where_they_must_not_be(
    start_detector: Callable[..., Any], reference: Path, logged: Logged, wait_until: Any, tmp_path: Path
) -> None:
    detector = start_detector(f"--references={reference}", "--keep_inputs=0")
    send(detector.url, logged(100, changed=True))
    wait_until(lambda: detector.get("/verdicts").json())
    assert "Gestern Abend" not in detector.get("/report").text
    detector.end(signal.SIGTERM)
    assert b"Gestern" not in (tmp_path / "drift.db").read_bytes()


@pytest.mark.parametrize(
    ("flags", "said", "status"),
    [
        (["--store=nosuch://x"], "a URL as sqlite:///drift.db", 1),
        (["--references=/no/such/file"], "cannot be read", 1),
        (["--alarm_needed=4"], "at most alarm_of, 3, is accepted", 2),
        (["--online_run_time=50"], "0, and 100 to 10000, are accepted", 2),
        (["--detectors=nosuch"], "accepted are kolmogorov_smirnov", 2),
        (["--queue_bytes=5"], "at least twice max_event_bytes", 1),
        (["--store=sqlite://"], "sqlite:///FILE is accepted", 2),
        (["--nosuch=1"], "nosuch", 2),
    ],
)
def test_what_cannot_be_started_says_why(flags: list[str], said: str, status: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "drift_detector", "--http_port=0", f"--store=sqlite:///{tmp_path}/db"]
    command += flags
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr
