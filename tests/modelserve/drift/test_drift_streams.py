"""Samples looked at as they come: one verdict a window, at once where they have changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelserve.database import StoreError
from modelserve.drift.baselines import References
from modelserve.drift.detectors import Comparison
from modelserve.drift.keeping import LocalKeeper
from modelserve.drift.references import Reference
from modelserve.drift.report.collecting import collect
from modelserve.drift.report.page import write_page
from modelserve.drift.store import Store
from modelserve.drift.streams import STREAM, Streams
from modelserve.drift.table import Column, Row, Table
from modelserve.drift.verdicts import Outcome, Source, Verdict
from modelserve.drift.watching import WatchedKeeper
from modelserve.drift.windows import Observation, Window

DIGEST = "sha256:a"
numbers = count()


@dataclass
class FarFromMean:
    """Raises an alarm where the mean of the last three vectors is farther off than any of the reference."""

    reference: Column
    run_time: int
    name: str = "far_from_mean"
    memory: int = 3
    last: list[Column] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.reference) < 10:
            raise ValueError("10 vectors are needed")

    def update(self, sample: Column) -> Comparison | None:
        self.last = [*self.last, sample][-self.memory :]
        centre = self.reference.mean(axis=0)
        distance = float(np.linalg.norm(np.mean(self.last, axis=0) - centre))
        is_far = (
            len(self.last) == self.memory and distance > np.linalg.norm(self.reference - centre, axis=1).max()
        )
        return Comparison(distance, 1 / self.run_time, 0.9) if is_far else None

    def reset(self) -> None:
        self.last.clear()


class AtOnce(Executor):
    """Does what is submitted, then and there."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*arguments, **named))
        return done


class Never(Executor):
    """Is still at something else."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        return Future()


def reference(size: int = 100, *, seed: int = 0, features: tuple[str, ...] = ("embedding",)) -> Reference:
    rng = np.random.default_rng(seed)
    rows: list[Row] = [
        {"length": 1.0, **{name: rng.standard_normal(3).astype(np.float32) for name in features}}
        for _ in range(size)
    ]
    table = Table.from_rows(rows)
    return Reference.make(table, model="names", model_digest=DIGEST, origin="a test", assets={})


def seen(size: int, *, shift: float = 0.0, at: float = 1.0, **other: Any) -> Observation:
    """A call with so many samples."""
    number = next(numbers)
    rng = np.random.default_rng(number)
    rows: list[Row] = [
        {"embedding": (0.1 * rng.standard_normal(3) + shift).astype(np.float32), **other} for _ in range(size)
    ]
    return Observation(f"call-{number}", at, rows, [None] * size)


@dataclass
class Bench:
    """Streams with their references."""

    references: References
    streams: Streams

    def look(self, source: Source, *calls: Observation) -> list[Verdict]:
        for call in calls:
            self.streams.add(source, call)
        return self.streams.look()

    def close(self, source: Source) -> list[Verdict]:
        said = self.streams.assess(Window(source, 0.0, 0.0, Table.from_rows([{"length": 1.0}]), [None]))
        self.streams.close_window(source)
        return said


def watching(*known: Reference, making: Executor | None = None) -> Bench:
    references = References(known)
    return Bench(references, Streams(FarFromMean, references, run_time=500, making=making or AtOnce()))


@pytest.fixture
def bench() -> Bench:
    return watching(reference())


def test_a_change_is_told_once_a_window_and_at_once(bench: Bench, source: Any) -> None:
    assert bench.look(source(), seen(8)) == []
    (told,) = bench.look(source(), seen(2, shift=9, at=7.0), seen(3, shift=9, at=8.0))
    assert (told.baseline, told.outcome, told.alarm) == (STREAM, Outcome.DRIFT, True)
    assert (told.opened, told.closed, told.samples) == (1.0, 8.0, 13)
    (feature,) = told.features
    assert (feature.feature, feature.detector, feature.drifted) == ("embedding", "far_from_mean", True)
    assert (feature.p_value, feature.corrected_p_value, feature.effect) == (1 / 500, 1 / 500, 0.9)
    assert (feature.baseline_size, feature.window_size) == (100, 3)
    assert bench.look(source(), seen(5, shift=9)) == []
    assert bench.close(source()) == [], "the window has its verdict"
    assert bench.look(source(), seen(2, shift=9)) == [], "what it saw before the alarm is forgotten"
    assert len(bench.look(source(), seen(1, shift=9))) == 1, "the next window has one of its own"


def test_a_window_without_a_change_is_told_when_it_closes(bench: Bench, source: Any) -> None:
    bench.look(source(), seen(4))
    (told,) = bench.close(source())
    assert (told.baseline, told.outcome, told.alarm) == (STREAM, Outcome.STEADY, False)
    assert (told.samples, told.features) == (4, [])
    assert bench.close(source()) == [], "nothing of it was looked at"


def test_what_was_seen_goes_on_in_the_next_window(bench: Bench, source: Any) -> None:
    bench.look(source(), seen(2, shift=9))
    bench.close(source())
    assert len(bench.look(source(), seen(1, shift=9))) == 1


def test_sources_are_watched_apart(bench: Bench, source: Any) -> None:
    assert bench.look(source(1), seen(2, shift=9)) == []
    assert bench.look(source(2), seen(2, shift=9)) == []
    assert [one.source for one in bench.look(source(1), seen(1, shift=9))] == [source(1)]


def test_of_many_samples_at_once_the_first_are_looked_at(bench: Bench, source: Any) -> None:
    bench.look(source(), seen(6), seen(500), seen(1))
    assert bench.close(source())[0].samples == 10


def test_all_features_share_the_run_time(source: Any) -> None:
    bench = watching(reference(features=("embedding", "thumbnail")))
    (told,) = bench.look(source(), seen(5, shift=9, thumbnail=np.zeros(3, np.float32)))
    (feature,) = told.features
    assert (feature.feature, feature.p_value) == ("embedding", 1 / 1000)
    assert feature.corrected_p_value == 1 / 500


def test_what_cannot_be_watched_says_so_and_has_no_verdict(
    source: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bench = watching(reference(5))
    assert bench.look(source(), seen(9, shift=9)) == []
    assert "embedding of names is not watched: 10 vectors are needed" in caplog.text
    assert bench.close(source()) == []
    assert watching().look(source(), seen(9, shift=9)) == [], "there is no reference"


def test_samples_pass_while_detectors_are_made(source: Any) -> None:
    bench = watching(reference(), making=Never())
    assert bench.look(source(), seen(9, shift=9)) == []
    assert bench.close(source()) == []


def test_features_of_another_make_are_not_looked_at(bench: Bench, source: Any) -> None:
    others: list[Row] = [{"embedding": np.full(2, 9, np.float32)}, {"embedding": 9.0}, {"length": 1.0}]
    for row in others:
        assert bench.look(source(), Observation("odd", 1.0, [row] * 5, [None] * 5)) == []


def test_a_new_reference_begins_anew(bench: Bench, source: Any) -> None:
    bench.look(source(), seen(3))
    old = bench.references.find(source())
    assert old is not None
    far = Table.from_rows([{"embedding": vector + 9} for vector in old.table.columns["embedding"]])
    bench.references.add(replace(old, version="9", table=far))
    assert bench.look(source(), seen(3, shift=9)) == []
    (told,) = bench.look(source(), seen(3))
    assert told.reference_version == "9"


def test_of_sources_that_come_and_go_the_last_are_watched(bench: Bench, source: Any) -> None:
    bench.look(source(0), seen(2, shift=9))
    for number in range(1, 17):
        bench.look(source(number), seen(1))
    assert bench.look(source(0), seen(1, shift=9)) == [], "it was forgotten"


@dataclass
class Kept:
    """A keeper that is watched, on a store, and what it told."""

    store: Store
    keeper: WatchedKeeper
    told: list[Verdict]

    def send(self, source: Source, call: Observation) -> None:
        self.keeper.add(source, call, now=0.0)
        self.keeper.write()


@pytest.fixture
def kept(tmp_path: Path, bench: Bench) -> Iterator[Kept]:
    store, told = Store(f"sqlite:///{tmp_path}/drift.db?timeout=0.1"), list[Verdict]()
    keeper = LocalKeeper(store, size=20, seconds=500, remembered=100, now=0.0)
    yield Kept(store, WatchedKeeper(keeper, bench.streams, store, tell=told.append), told)
    store.close()


def test_what_is_found_is_stored_before_the_window_closes(kept: Kept, source: Any) -> None:
    kept.send(source(), seen(5))
    assert kept.told == []
    kept.send(source(), seen(5, shift=9))
    assert [one.outcome for one in kept.told] == [Outcome.DRIFT]
    assert [one.verdict for one in kept.store.untold(since=0.0)] == kept.told
    kept.send(source(), seen(10, shift=9))
    for number, said in ((1, [Outcome.DRIFT]), (2, [Outcome.DRIFT, Outcome.STEADY])):
        (window,) = kept.keeper.closing(now=0.0)
        assert window.table.size == 20, number
        assert kept.keeper.close(window, [])
        assert [one.verdict.outcome for one in kept.store.verdicts()] == said
        kept.send(source(), seen(20))


def test_a_report_of_windows_in_which_nothing_was_found(kept: Kept, source: Any) -> None:
    kept.send(source(), seen(20))
    (window,) = kept.keeper.closing(now=0.0)
    kept.keeper.close(window, [])
    page = write_page(collect(kept.store, kept.store.verdicts(), []), alpha=0.01, at=0.0)
    assert f"against {STREAM}" in " ".join(page.split())
    assert "0 of 1 windows drifted. The last: 10 samples" in page


def test_a_store_that_is_locked_for_a_while_gets_it_later(kept: Kept, source: Any, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "drift.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError):
        kept.send(source(), seen(5, shift=9))
    assert kept.told == [], "nothing is said that is not written"
    other.rollback()
    other.close()
    kept.keeper.write()
    kept.keeper.write()
    assert [one.verdict for one in kept.store.verdicts()] == kept.told
    assert [one.outcome for one in kept.told] == [Outcome.DRIFT]
