"""Windows that several detectors fill together: no sample lost or in two windows, each window judged once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from modelserve.database import StoreError
from modelserve.drift.shared import keeper as keeper_module
from modelserve.drift.shared.keeper import SharedKeeper
from modelserve.drift.shared.redis import SharedRedis
from modelserve.drift.store import Store
from modelserve.drift.verdicts import Outcome, Source, Verdict
from modelserve.drift.windows import Observation, Window

Connect = Callable[[], SharedRedis]


@pytest.fixture
def database(postgres: Any) -> str:
    """What several processes share is in PostgreSQL."""
    url: str = postgres.url
    return url


@pytest.fixture
def keepers(connect: Connect, store: Store) -> Callable[..., list[SharedKeeper]]:
    """Of windows of 20 samples, in parts of 2."""

    def make(number: int = 2, *, seconds: float = 1000.0) -> list[SharedKeeper]:
        return [SharedKeeper(connect(), store, size=20, seconds=seconds) for _ in range(number)]

    return make


class Adding:
    """Samples with numbers, the next ones each time."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, keeper: SharedKeeper, source: Source, samples: int) -> None:
        for _ in range(samples):
            row = {"place": float(self.number)}
            keeper.add(source, Observation(str(self.number), self.number, [row], [b"\xff"]), now=0.0)
            self.number += 1
        keeper.write()


def places(window: Window) -> list[float]:
    found: list[float] = window.table.columns["place"].tolist()
    return found


def said(window: Window) -> Sequence[tuple[Verdict, Sequence[bytes]]]:
    size = window.table.size
    times = (window.opened, window.closed)
    return [(Verdict(window.source, "reference", "v", *times, size, Outcome.STEADY, "", [], False), [])]


def close_all(keeper: SharedKeeper, *, now: float) -> list[Window]:
    closed = []
    for window in keeper.closing(now=now):
        assert keeper.close(window, said(window))
        closed.append(window)
    return closed


def test_a_window_of_the_samples_of_both(keepers: Any, store: Store, source: Any) -> None:
    one, other = keepers()
    add = Adding()
    add(one, source(), 12)
    add(other, source(2), 3)
    assert close_all(one, now=0) == []
    add(other, source(), 9)
    add(one, source(), 4)
    (window,) = close_all(other, now=0)
    assert places(window) == [*range(12), *range(15, 24)]
    assert (window.source, window.opened, window.closed) == (source(), 0, 23)
    assert window.excerpts == [b"\xff"] * 21
    assert close_all(one, now=10) == []
    assert [places(one) for one in store.last_windows()] == [places(window)]
    assert [one.verdict.samples for one in store.verdicts()] == [21]


def test_a_window_closes_with_what_it_has(keepers: Any, source: Any) -> None:
    one, other = keepers(seconds=0.3)
    Adding()(one, source(), 3)
    assert close_all(other, now=0) == []
    time.sleep(0.4)
    assert [places(window) for window in close_all(other, now=1)] == [[0, 1, 2]]
    time.sleep(0.4)
    assert close_all(one, now=1) == [], "and another begins with the next call"


def test_windows_are_judged_in_their_order_by_one_at_a_time(keepers: Any, source: Any) -> None:
    one, other = keepers()
    add = Adding()
    for _ in range(3):
        add(one, source(), 20)
    mine = one.closing(now=0)
    first = next(mine)
    assert list(other.closing(now=0)) == [], "another is at it"
    one.close(first, said(first))
    assert [places(window)[0] for window in close_all(one, now=10)] == [20, 40]


def test_who_dies_while_judging_is_followed(
    keepers: Any, store: Store, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "_JUDGING_MS", 200)
    one, other = keepers()
    Adding()(one, source(), 20)
    dead = next(one.closing(now=0))
    time.sleep(0.3)
    assert [places(window) for window in close_all(other, now=0)] == [places(dead)]
    assert not one.close(dead, said(dead)), "it was not dead, but late"
    assert len(store.verdicts()) == 1
    assert close_all(one, now=10) == close_all(other, now=10) == []


def test_a_store_that_is_away(keepers: Any, postgres: Any, store: Store, source: Any) -> None:
    (one,) = keepers(1)
    Adding()(one, source(), 20)
    postgres.stop()
    window = next(one.closing(now=0))
    with pytest.raises(StoreError):
        one.close(window, said(window))
    postgres.start()
    assert one.close(window, said(window))


def test_what_could_not_be_written_is_kept_and_counts_once(
    keepers: Any, redis_server: Any, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = keepers()
    add = Adding()
    add(one, source(), 4)
    done = SharedRedis.run

    def lose_the_answer(*arguments: Any) -> None:
        done(*arguments)
        raise StoreError("the answer was lost")

    monkeypatch.setattr(SharedRedis, "run", lose_the_answer)
    with pytest.raises(StoreError):
        add(one, source(), 4)
    monkeypatch.undo()
    redis_server.hang()
    with pytest.raises(StoreError, match="the shared state in Redis cannot be used"):
        add(one, source(), 4)
    redis_server.go_on()
    add(other, source(), 2)
    add(one, source(), 6)
    (window,) = close_all(other, now=0)
    assert sorted(places(window)) == list(range(20))


def test_memory_and_redis_have_bounds(
    keepers: Any, source: Any, monkeypatch: pytest.MonkeyPatch, redis_server: Any
) -> None:
    monkeypatch.setattr(keeper_module, "_MOST_FRESH", 50)
    monkeypatch.setattr(keeper_module, "_MOST_CLOSED", 4)
    one, other = keepers()
    add = Adding()
    for _ in range(2):
        add(one, source(), 20)
    with pytest.raises(StoreError, match=r"too many windows of names-predictor-00001 wait to be judged"):
        add(one, source(), 40)
    assert not one.is_full
    with pytest.raises(StoreError):
        add(one, source(), 10)
    assert one.is_full
    assert len(close_all(other, now=0)) == 2
    one.write()
    assert not one.is_full
    assert [places(window) for window in close_all(other, now=10)] == [[*range(40, 80)]]


def test_sources_that_nobody_calls_are_let_go(keepers: Any, source: Any, redis_server: Any) -> None:
    (one,) = keepers(1)
    Adding()(one, source(), 20)
    (key,) = redis_server.client.keys("*sources:*")
    redis_server.client.zadd(key, {"[]": 1.0})
    close_all(one, now=0)
    assert redis_server.client.zcard(key) == 1
