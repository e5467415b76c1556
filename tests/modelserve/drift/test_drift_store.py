"""The store, on SQLite and PostgreSQL: what is written once is there once, after whatever happened."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelserve.database import StoreError
from modelserve.drift.references import Reference
from modelserve.drift.store import Store
from modelserve.drift.table import Table
from modelserve.drift.verdicts import FeatureVerdict, Outcome, Source, Verdict
from modelserve.drift.windows import Window


def part(source: Source, *places: float, opened: float = 1.0) -> Window:
    table = Table.from_rows([{"place": place} for place in places])
    return Window(source, opened, opened + 1, table, [b"x\xff", None][: len(places)] * len(places))


def places(window: Window) -> list[float]:
    found: list[float] = window.table.columns["place"].tolist()
    return found


def verdict(source: Source, *, alarm: bool = True, closed: float = 2.0) -> Verdict:
    feature = FeatureVerdict("length", "kolmogorov_smirnov", 0.5, 1e-9, 1e-8, 0.5, 1000, 200, drifted=True)
    return Verdict(source, "reference", "v1", 1.0, closed, 200, Outcome.DRIFT, "", [feature], alarm)


def test_open_windows_are_there_after_a_restart(store: Store, database: str, source: Any) -> None:
    first, second = source(1), source(2)
    store.add_part(part(first, 1, 2), ["a"])
    store.add_part(part(second, 9), ["b"])
    store.add_part(part(first, 3), ["c", "d"])
    store.close()
    again = Store(database)
    found = again.open_parts()
    assert [(one.source, places(one)) for one in found] == [(first, [1, 2]), (second, [9]), (first, [3])]
    assert found[0].excerpts == [b"x\xff", None, b"x\xff", None]
    assert [call for _, call in again.recent_calls(3)] == ["b", "c", "d"]
    again.close()


def test_a_part_that_seemed_to_fail_is_not_written_twice(store: Store, source: Any) -> None:
    store.add_part(part(source(), 1), ["a", "b"])
    store.add_part(part(source(), 1), ["a", "b"])
    assert [places(one) for one in store.open_parts()] == [[1]]
    store.add_part(part(source(), 2), ["c"])
    assert [places(one) for one in store.open_parts()] == [[1], [2]]


def test_a_closed_window_has_its_verdicts_and_its_successor_is_new(store: Store, source: Any) -> None:
    store.add_part(part(source(), 1, 2), ["a"])
    said = verdict(source())
    store.close_window(part(source(), 1, 2), [(said, [b"far\xff"])], keep_calls=100)
    assert store.open_parts() == []
    (stored,) = store.verdicts()
    assert (stored.verdict, stored.inputs) == (said, [b"far\xff"])
    store.add_part(part(source(), 3), ["b"])
    assert [places(one) for one in store.open_parts()] == [[3]]
    assert [places(one) for one in store.last_windows()] == [[1, 2]]
    store.close_window(part(source(), 3, opened=5.0), [], keep_calls=100)
    assert [places(one) for one in store.last_windows()] == [[3]], "of each source the last alone"
    assert store.first_seen(source().component) == {source().revision: 1.0}


def test_only_so_many_calls_are_remembered(store: Store, source: Any) -> None:
    for number in range(5):
        store.add_part(part(source(), number), [f"call-{number}"])
    store.close_window(part(source(), 0), [], keep_calls=2)
    assert [call for _, call in store.recent_calls(10)] == ["call-3", "call-4"]


def test_what_is_not_told_waits(store: Store, source: Any) -> None:
    said = [verdict(source()), verdict(source(2), alarm=False), verdict(source(3), closed=99)]
    store.close_window(part(source(), 1), [(one, []) for one in said], keep_calls=1)
    waiting = store.untold(since=0)
    assert [one.verdict.closed for one in waiting] == [2.0, 99.0]
    assert [one.verdict.closed for one in store.untold(since=50)] == [99.0]
    store.mark_told(waiting[0].number)
    assert [one.number for one in store.untold(since=0)] == [waiting[1].number]


def test_verdicts_by_service_time_and_number(store: Store, source: Any) -> None:
    for closed, service in ((1.0, "names"), (2.0, "others"), (3.0, "names")):
        whose = source(service=service)
        store.close_window(part(whose, 1), [(verdict(whose, closed=closed), [])], keep_calls=1)
    assert [one.verdict.closed for one in store.verdicts()] == [1, 2, 3]
    assert [one.verdict.closed for one in store.verdicts(service="names")] == [1, 3]
    assert [one.verdict.closed for one in store.verdicts(since=2.0)] == [2, 3]
    assert [one.verdict.closed for one in store.verdicts(last=2)] == [2, 3]


def test_what_was_said_of_one_source(store: Store, source: Any) -> None:
    said = [Outcome.DRIFT, Outcome.STEADY, Outcome.NO_VERDICT, Outcome.STEADY, Outcome.DRIFT]
    for place, outcome in enumerate(said):
        of_two = [replace(verdict(source()), outcome=outcome), replace(verdict(source()), baseline="another")]
        store.close_window(part(source(), place), [(one, []) for one in of_two], keep_calls=1)
        store.close_window(part(source(2), place), [(verdict(source(2)), [])], keep_calls=1)
    assert store.last_outcomes(source(), "reference", most=3) == [
        Outcome.STEADY,
        Outcome.STEADY,
        Outcome.DRIFT,
    ]
    assert store.last_outcomes(source(), "another", most=9) == [Outcome.DRIFT] * 5
    assert store.last_outcomes(source(3), "reference", most=3) == []


def test_windows_of_one_component_and_of_late(store: Store, source: Any) -> None:
    for whose, opened in ((source(1), 1), (source(2), 50), (source(1, service="others"), 50)):
        store.close_window(part(whose, 1, opened=opened), [], keep_calls=1)
    mine = source().component
    assert [one.source for one in store.last_windows(mine, since=2)] == [source(1), source(2)]
    assert [one.source for one in store.last_windows(mine, since=3)] == [source(2)]
    assert len(store.last_windows()) == 3


def test_what_is_old_is_forgotten(store: Store, source: Any) -> None:
    store.close_window(part(source(1), 1, opened=1), [(verdict(source(1)), [])], keep_calls=1)
    store.close_window(part(source(2), 2, opened=50), [(verdict(source(2)), [])], keep_calls=1)
    store.add_part(part(source(3), 3), ["a"])
    store.forget(before=40)
    assert [one.verdict.source for one in store.verdicts()] == [source(2)]
    assert [one.source for one in store.last_windows()] == [source(2)]
    assert [one.source for one in store.open_parts()] == [source(3)]


def test_the_newest_references(store: Store) -> None:
    table = Table.from_rows([{"length": 1.0}])
    for version, digest in (("1", "a"), ("2", "a"), ("3", "b"), ("2", "a")):
        store.add_reference(Reference(version, "names", digest, 0.0, "", table, {"tokenizer.json": b"{}"}))
    found = {reference.version: reference for reference in store.latest_references()}
    assert set(found) == {"2", "3"}
    assert found["3"].assets == {"tokenizer.json": b"{}"}


def test_a_server_that_is_away(postgres: Any, source: Callable[..., Source]) -> None:
    store = Store(postgres.url)
    store.add_part(part(source(), 1), ["a"])
    postgres.stop()
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match="the store cannot be used"):
                store.add_part(part(source(), 2), ["b"])
        with pytest.raises(StoreError, match="the store cannot be used"):
            store.verdicts()
        with pytest.raises(StoreError, match="the store cannot be opened"):
            Store(postgres.url)
    finally:
        postgres.start()
    store.add_part(part(source(), 2), ["b"])
    assert [places(one) for one in store.open_parts()] == [[1], [2]]
    store.close()


def test_a_file_that_is_locked(tmp_path: Path, source: Callable[..., Source]) -> None:
    store = Store(f"sqlite:///{tmp_path}/drift.db?timeout=0.1")
    other = sqlite3.connect(tmp_path / "drift.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        store.add_part(part(source(), 1), ["a"])
    other.rollback()
    other.close()
    store.add_part(part(source(), 1), ["a"])
    assert len(store.open_parts()) == 1
    store.close()


@pytest.mark.parametrize(
    "url", ["drift.db", "sqlite:////no/such/folder/drift.db", "nosuch://host/db", "sqlite:///{tmp}"]
)
def test_urls_that_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a URL as sqlite:///drift\.db"):
        Store(url.format(tmp=tmp_path))
