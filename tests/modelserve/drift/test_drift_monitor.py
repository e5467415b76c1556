"""The monitor: from halves of calls to verdicts, each call counted once, across crashes and outages."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import NoReturn

import numpy as np
import orjson
import pytest

from modelserve.drift.assessing import Assessor
from modelserve.drift.baselines import References
from modelserve.drift.building import build_reference
from modelserve.drift.detectors import available_detectors
from modelserve.drift.features.extracting import AssetError, Extractor
from modelserve.drift.judging import AlarmRule, Judge
from modelserve.drift.monitor import MonitorOptions, local_monitor
from modelserve.drift.references import Reference
from modelserve.drift.store import Store
from modelserve.drift.verdicts import Outcome, Verdict
from modelserve.events import Component, LoggedMessage, Side
from modelserve.events.calls import Entity, TextCall

WHOSE = Component("default", "names", "predictor")
PEOPLE = ["Merkel", "Obama", "Curie", "Turing", "Lovelace", "Gauss", "Noether", "Euler"]
PLACES = ["Berlin", "Paris", "Zurich", "London", "Warsaw", "Vienna"]
GERMAN = "Gestern Abend ist {0} mit dem Zug von {1} nach Hause gefahren, weil es schneite."
ENGLISH = (
    "Yesterday {0} went to {1} by train because of the heavy snow.",
    "It was {0} who gave the first lecture in {1} that winter.",
    "Nobody in {1} had heard of {0} before the newspapers wrote about it.",
)
DIGEST = "sha256:a"
numbers = count()


def sentence(random: np.random.Generator, forms: Sequence[str]) -> tuple[str, list[Entity]]:
    person, place = str(random.choice(PEOPLE)), str(random.choice(PLACES))
    text = str(random.choice(forms)).format(person, place)
    found = [
        Entity(kind, name, text.index(name), text.index(name) + len(name), float(random.beta(20, 2)))
        for kind, name in (("PER", person), ("LOC", place))
        if random.random() < 0.9
    ]
    return text, found


def halves(
    text: str, found: Sequence[Entity], *, at: float, revision: str, digest: str = DIGEST
) -> tuple[LoggedMessage, LoggedMessage]:
    """A call over V2 as KServe's agent logs it."""
    call = f"call-{next(numbers)}"
    tensor = {"datatype": "BYTES", "shape": [1]}
    request = {"inputs": [{"name": "text", **tensor, "data": [text]}]}
    entities = orjson.dumps([one._asdict() for one in found]).decode()
    response = {
        "model_name": "names",
        "parameters": {"revision": revision, "model_digest": digest},
        "outputs": [{"name": "entities", **tensor, "data": [entities]}],
    }
    sides = ((Side.REQUEST, at, request), (Side.RESPONSE, at + 0.1, response))
    one, other = (LoggedMessage(WHOSE, call, side, time, orjson.dumps(body)) for side, time, body in sides)
    return one, other


@pytest.fixture(scope="module")
def reference() -> Reference:
    random = np.random.default_rng(0)
    made = [sentence(random, ENGLISH) for _ in range(600)]
    calls = [TextCall("names", "one", DIGEST, 0.1, [text], [found]) for text, found in made]
    return build_reference(calls, model="names", origin="a test", assets={})


@dataclass
class Bench:
    """A monitor on a store, by a clock that the test moves."""

    url: str
    references: Sequence[Reference]
    now: float = 1000.0
    told: list[Verdict] = field(default_factory=list)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def __post_init__(self) -> None:
        self.store = Store(self.url)
        self.begin()

    def begin(self) -> None:
        """Start, or start again after a crash."""
        self.store.close()
        self.store = Store(self.url)
        known = References(self.references)
        judge, rule = Judge(available_detectors()), AlarmRule(needed=2, of=3)
        assessor = Assessor(judge, known, self.store, rule, peer_seconds=500, most_inputs=3)
        options = MonitorOptions(window_samples=100, window_seconds=500, join_seconds=10)
        self.monitor = local_monitor(
            self.store, known, assessor, options, tell=self.told.append, clock=lambda: self.now
        )

    def send(
        self,
        number: int,
        forms: Sequence[str] = ENGLISH,
        *,
        revision: str = "names-predictor-00001",
        digest: str = DIGEST,
    ) -> list[LoggedMessage]:
        """Calls, a hundred a second, and what was sent of them."""
        sent: list[LoggedMessage] = []
        for _ in range(number):
            self.now += 0.01
            text, found = sentence(self.random, forms)
            sent += halves(text, found, at=self.now, revision=revision, digest=digest)
        for half in sent:
            self.monitor.take(half)
        self.monitor.idle()
        return sent

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.monitor.idle()

    @property
    def outcomes(self) -> list[Outcome]:
        return [verdict.outcome for verdict in self.told]


@pytest.fixture
def bench(database: str, reference: Reference) -> Iterator[Bench]:
    made = Bench(database, [reference])
    yield made
    made.store.close()


@pytest.fixture
def local(tmp_path: Path, reference: Reference) -> Iterator[Bench]:
    made = Bench(f"sqlite:///{tmp_path}/drift.db?timeout=0.1", [reference])
    yield made
    made.store.close()


def test_ordinary_calls_then_another_language(bench: Bench) -> None:
    bench.send(300)
    assert bench.outcomes == [Outcome.STEADY] * 3
    bench.send(100, [GERMAN])
    assert bench.outcomes[3:] == [Outcome.DRIFT]
    assert bench.told[-1].features[0].feature == "language"
    assert not bench.told[-1].alarm, "one window is no alarm"
    bench.send(100, [GERMAN])
    assert bench.told[-1].alarm
    last = bench.store.verdicts()[-1]
    assert last.verdict == bench.told[-1]
    assert len(last.inputs) == 3
    assert all(one.startswith(b"Gestern Abend") for one in last.inputs)
    assert bench.monitor.outcomes == {"paired": 1000}


def test_a_crash_loses_what_was_not_flushed_and_counts_nothing_twice(bench: Bench) -> None:
    sent = bench.send(60)
    bench.wait(2)
    lost = bench.send(20)
    bench.begin()
    for half in sent:  # a broker that got no answer sends again
        bench.monitor.take(half)
    assert bench.monitor.outcomes == {"duplicate": 120}
    for half in lost:
        bench.monitor.take(half)
    assert bench.monitor.outcomes["paired"] == 40
    bench.send(20)
    assert [verdict.samples for verdict in bench.told] == [100]


def test_what_an_older_version_left_open_is_left_out(local: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    local.send(60)
    local.monitor.close()
    monkeypatch.setattr("modelserve.drift.keeping.FEATURES_VERSION", 2)
    local.begin()
    local.send(60)
    assert local.told == []
    local.send(40)
    assert [verdict.samples for verdict in local.told] == [100]


def test_alarms_outlive_a_crash(bench: Bench) -> None:
    bench.send(100, [GERMAN])
    bench.begin()
    bench.send(100, [GERMAN])
    assert [verdict.alarm for verdict in bench.told] == [False, True]


def test_a_canary_is_compared_with_the_stable_revision(bench: Bench) -> None:
    bench.send(100)
    bench.send(100, [GERMAN], revision="names-predictor-00002")
    canary = {verdict.baseline: verdict for verdict in bench.told[1:]}
    assert set(canary) == {"reference", "names-predictor-00001"}
    assert canary["names-predictor-00001"].outcome is Outcome.DRIFT
    bench.begin()
    bench.send(100, revision="names-predictor-00002")
    assert [(one.baseline, one.outcome) for one in bench.told[-2:]] == [
        ("reference", Outcome.STEADY),
        ("names-predictor-00001", Outcome.STEADY),
    ]


def test_other_weights_have_no_reference(local: Bench) -> None:
    local.send(100, digest="sha256:b")
    (verdict,) = local.told
    assert verdict.outcome is Outcome.NO_VERDICT
    assert "no reference of the weights sha256:b (of other weights there are: sha256:a)" in verdict.reason


def test_what_is_held_of_models_that_nobody_calls_is_let_go(local: Bench, reference: Reference) -> None:
    def held() -> int:
        gc.collect()
        # By their types: asking objects of other packages for their class may make them warn.
        return sum(issubclass(type(one), Extractor) for one in gc.get_objects())

    others = held()
    digests = [f"sha256:{letter}" for letter in "abcd"]
    local.references = [
        replace(reference, model_digest=digest, version=f"{reference.version}{digest}") for digest in digests
    ]
    local.begin()
    for digest in digests:
        local.send(100, digest=digest)
        local.wait(501)
    assert local.outcomes == [Outcome.STEADY] * 4
    assert held() - others <= 2


def test_a_window_is_closed_by_time_as_well(local: Bench) -> None:
    local.send(60)
    local.wait(499)
    assert local.told == []
    local.wait(1)
    assert [(one.samples, one.outcome) for one in local.told] == [(60, Outcome.STEADY)]
    local.send(10)
    local.wait(500)
    assert [(one.samples, one.outcome) for one in local.told[1:]] == [(10, Outcome.NO_VERDICT)]


def test_halves_and_what_is_no_call_of_ours(local: Bench) -> None:
    request, response = halves("x", [], at=local.now, revision="r")
    local.monitor.take(request)
    local.monitor.take(request)
    assert local.monitor.outcomes == {"duplicate": 1}
    local.wait(10)
    local.monitor.take(response)
    assert local.monitor.outcomes == {"duplicate": 1, "half_request": 1, "half_response": 1}
    for side in Side:
        local.monitor.take(LoggedMessage(WHOSE, "odd", side, local.now, b"\xff"))
    assert local.monitor.outcomes["unreadable"] == 2
    assert local.monitor.outcomes["paired"] == 0
    assert sum(local.monitor.outcomes.values()) == 5, "each half has one outcome"


def test_a_call_that_fails_is_not_among_those_in_windows(tmp_path: Path, reference: Reference) -> None:
    """Its second half is left to who called: a sink counts it as failed."""
    damaged = replace(reference, assets={"tokenizer.json": b"no tokenizer"})
    bench = Bench(f"sqlite:///{tmp_path}/drift.db", [damaged])
    for _ in range(3):
        request, response = halves("x", [], at=bench.now, revision="r")
        bench.monitor.take(request)
        with pytest.raises(AssetError):
            bench.monitor.take(response)
        bench.monitor.take(response)
    assert bench.monitor.outcomes == {"failed": 3, "duplicate": 3}
    bench.store.close()


def test_a_judgement_that_fails_is_no_failure_of_the_call_that_asked_for_it(
    local: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = 0

    def fail(*_: object) -> NoReturn:
        nonlocal tried
        tried += 1
        raise ZeroDivisionError("no judgement")

    with monkeypatch.context() as broken:
        broken.setattr(Judge, "judge", fail)
        local.send(150)
        assert local.told == []
        assert local.monitor.outcomes == {"paired": 300}
        assert tried == 1, "once, and not for each call that follows"
        assert "a window cannot be judged" in caplog.text
        with pytest.raises(ZeroDivisionError):
            local.wait(2)
    local.wait(2)
    assert [one.samples for one in local.told] == [150]
    monkeypatch.setattr(Judge, "judge", fail)
    local.send(100)
    assert local.monitor.outcomes == {"paired": 500}


def test_a_store_that_is_locked_for_a_while(
    local: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = sqlite3.connect(tmp_path / "drift.db")
    other.execute("BEGIN IMMEDIATE")
    local.send(150)
    local.wait(2)
    assert local.told == [], "nothing is said that is not written"
    assert "what came is kept, and tried again" in caplog.text
    other.rollback()
    other.close()
    local.wait(2)
    assert [one.samples for one in local.told] == [150]
    assert local.monitor.outcomes == {"paired": 300}


def test_a_store_that_stays_away(local: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: what has no room is counted."""
    monkeypatch.setattr("modelserve.drift.keeping.MOST_UNWRITTEN", 50)
    other = sqlite3.connect(tmp_path / "drift.db")
    other.execute("BEGIN IMMEDIATE")
    local.send(80)
    assert local.monitor.outcomes == {"paired": 100, "unstored": 60}
    other.rollback()
    other.close()
    local.wait(2)
    local.send(50)
    assert [one.samples for one in local.told] == [100]


def test_what_is_open_is_written_at_the_end(local: Bench) -> None:
    local.send(30)
    local.monitor.close()
    local.begin()
    local.send(70)
    assert [one.samples for one in local.told] == [100]


def test_a_batch_of_texts_is_as_many_samples(local: Bench) -> None:
    texts = [sentence(local.random, ENGLISH) for _ in range(120)]
    tensor = {"datatype": "BYTES", "shape": [120]}
    request = {"inputs": [{"name": "text", **tensor, "data": [text for text, _ in texts]}]}
    found = [orjson.dumps([one._asdict() for one in entities]).decode() for _, entities in texts]
    response = {
        "model_name": "names",
        "parameters": {"revision": "one", "model_digest": DIGEST},
        "outputs": [{"name": "entities", **tensor, "data": found}],
    }
    for side, body in ((Side.RESPONSE, response), (Side.REQUEST, request)):
        local.monitor.take(LoggedMessage(WHOSE, "batch", side, local.now, orjson.dumps(body)))
    assert [(one.samples, one.outcome) for one in local.told] == [(120, Outcome.STEADY)]
