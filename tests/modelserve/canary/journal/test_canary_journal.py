"""The journal on SQLite and PostgreSQL: what was seen is there after a restart, and a sink is told of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from pathlib import Path

import jsonschema_rs
import pytest
from http_servers import serving

from modelserve.canary.journal import Canary, Journal
from modelserve.canary.journal.entries import pack
from modelserve.canary.journal.notices import TYPE, CanaryOutbox
from modelserve.canary.judge.measurements import Look
from modelserve.canary.judge.verdicts import Finding, Judgement, Verdict
from modelserve.canary.rollout import RolloutState
from modelserve.canary.running.course import Phase, begin
from modelserve.canary.running.driver import Progress
from modelserve.database import StoreError
from modelserve.events.notifier import Notifier

STATE = RolloutState("names-1", "names-2", 10, is_ready=True, failure="", fingerprint="a")
CANARY = Canary("default", "names", "names", 1000.123456, "{}")
COURSE = begin(STATE, now=1000.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/canary.db"
    found: str = request.getfixturevalue("postgres").url
    return found


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    opened = Journal(url)
    yield opened
    opened.close()


def progress(at: float, phase: Phase = Phase.WATCHING, *, look: Look | None = None) -> Progress:
    judgement = Judgement.of([Finding("errors", Verdict.FAIL, "errors: “5%”")])
    return Progress(at, COURSE.to(phase, now=at, reason="errors"), 10, look, judgement)


def test_what_was_written_is_there_after_a_restart(
    journal: Journal, url: str, watch: Callable[..., list[Look]]
) -> None:
    written = [progress(1001.0 + number, look=look) for number, look in enumerate(watch(looks=3))]
    for one in written:
        journal.add(CANARY, one, is_decision=False)
    other = replace(CANARY, began=2000.0)
    journal.add(other, progress(2000.0), is_decision=True)
    journal.close()
    again = Journal(url)
    found = again.history(CANARY)
    assert [pack(one) for one in found] == [pack(one) for one in written]
    assert found[2].look is not None
    assert again.last_canary("default", "names") == other
    assert again.last_canary("default", "others") is None
    again.close()


def test_canaries_that_ended_long_ago_are_forgotten(journal: Journal) -> None:
    journal.add(CANARY, progress(1500.0), is_decision=True)
    ended = replace(CANARY, began=100.0)
    for phase in (Phase.WATCHING, Phase.ROLLED_BACK):
        journal.add(ended, progress(200.0, phase), is_decision=True)
    journal.forget(before=150.0)
    assert len(journal.history(ended)) == 2
    journal.forget(before=10_000.0)
    assert journal.history(ended) == []
    assert len(journal.history(CANARY)) == 1, "it has not ended"


def test_a_database_that_cannot_be_used_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="a URL as sqlite:///"):
        Journal("nonsense")
    with pytest.raises(StoreError, match="the store cannot be opened"):
        Journal(f"sqlite:///{tmp_path}/no/such/folder/canary.db")


class Sink(BaseHTTPRequestHandler):
    """Takes events, when it is well."""

    is_well = True
    taken: list[tuple[dict[str, str], bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if type(self).is_well:
            self.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(202 if type(self).is_well else 503)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def sink() -> Iterator[str]:
    Sink.is_well, Sink.taken = True, []
    with serving(Sink) as port:
        yield f"http://127.0.0.1:{port}/"


def test_a_sink_is_told_of_decisions_once_it_is_there(journal: Journal, sink: str) -> None:
    Sink.is_well = False
    at = 4e9  # not stale, whatever the clock says
    journal.add(CANARY, progress(at, Phase.ROLLING_BACK), is_decision=True)
    journal.add(CANARY, progress(at + 1), is_decision=False)
    notifier = Notifier(CanaryOutbox(journal, origin="here"), sink)
    threading.Timer(0.5, setattr, (Sink, "is_well", True)).start()
    deadline = threading.Event()
    for _ in range(100):
        if not journal.untold(since=0.0):
            break
        deadline.wait(0.1)
    notifier.close()
    ((headers, body),) = Sink.taken
    assert (headers["ce-type"], headers["ce-subject"]) == (TYPE, "default/names/names-2")
    assert (headers["ce-inferenceservicename"], headers["ce-source"]) == ("names", "here")
    said = json.loads(body)
    schema = json.loads(files("modelserve.events").joinpath(f"schemas/{TYPE}.json").read_text())
    jsonschema_rs.validate(schema, said)
    assert (said["phase"], said["verdict"]) == ("rolling_back", "fail")
    assert said["findings"] == [{"check": "errors", "verdict": "fail", "reason": "errors: “5%”"}]
