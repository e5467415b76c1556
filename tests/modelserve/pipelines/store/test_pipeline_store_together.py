"""Several that use the store at once: each with connections of its own, as processes have them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from modelserve.pipelines.course import Outcome, Status, Unit
from modelserve.pipelines.store import LeaseLost, Run, RunStatus, RunStore

WORKERS = 6


def all_at_once(database: str, work: Callable[[RunStore, str], list[str]]) -> list[str]:
    """What each of several workers gives, who open the store and begin at the same moment."""
    barrier = Barrier(WORKERS)

    def one(name: str) -> list[str]:
        barrier.wait(30)
        store = RunStore(database)
        try:
            return work(store, name)
        finally:
            store.close()

    with ThreadPoolExecutor(WORKERS) as threads:
        return [each for found in threads.map(one, map(str, range(WORKERS))) for each in found]


def test_a_store_is_made_by_whoever_is_first(database: str) -> None:
    assert all_at_once(database, lambda store, name: [str(store.unfinished())]) == ["0"] * WORKERS


def test_each_run_is_one_worker_s(database: str, make_run: Callable[..., Run]) -> None:
    store = RunStore(database)
    runs = [store.add(make_run(webhook="http://hook")) for _ in range(40)]

    def work(mine: RunStore, name: str) -> list[str]:
        done = []
        for run in runs:
            claim = mine.claim(run.id, name, now=1.0, lease_seconds=30.0)
            if claim is not None:
                mine.keep(claim, Unit("first"), Outcome(Status.SUCCEEDED, name))
                mine.finish(claim, RunStatus.SUCCEEDED, output=name, now=2.0)
                done.append(run.id)
        return done

    assert sorted(all_at_once(database, work)) == sorted(run.id for run in runs)
    for run in runs:
        ended = store.get(run.id)
        assert ended is not None
        assert store.record(run.id)[Unit("first")].output == ended.output
    store.close()


def test_an_owner_that_is_robbed_writes_nothing_more(database: str, make_run: Callable[..., Run]) -> None:
    """Leases that run out at once: all take the run from each other, and only the last may write."""
    store = RunStore(database)
    run = store.add(make_run())

    def work(mine: RunStore, name: str) -> list[str]:
        written = []
        for turn in range(15):
            claim = mine.claim(run.id, name, now=time.monotonic(), lease_seconds=0.0)
            if claim is None:
                continue
            try:
                mine.keep(claim, Unit(f"s{claim.token}"), Outcome(Status.SUCCEEDED, turn))
                written.append(f"s{claim.token}")
            except LeaseLost:
                pass
        return written

    written = all_at_once(database, work)
    assert sorted(unit.step for unit in store.record(run.id)) == sorted(written)
    assert len(set(written)) == len(written) > 0
    store.close()


def test_late_runs_and_notices_are_told_to_one_each(database: str, make_run: Callable[..., Run]) -> None:
    store = RunStore(database)
    late = [store.add(make_run()).id for _ in range(30)]
    ended = [store.add(make_run(now=50.0, webhook="http://hook")).id for _ in range(30)]
    for run_id in ended:
        claim = store.claim(run_id, "me", now=50.0, lease_seconds=30.0)
        assert claim is not None
        store.finish(claim, RunStatus.SUCCEEDED, now=51.0)

    def work(mine: RunStore, _name: str) -> list[str]:
        found = []
        for _ in range(10):
            found += mine.overdue(now=55.0, late_seconds=10.0, limit=4)
            notices = mine.outbox.take(now=55.0, since=0.0, hold_seconds=30.0, limit=4)
            found += [one.run for one in notices]
        return found

    assert Counter(all_at_once(database, work)) == Counter(late + ended)
    store.close()


def test_one_of_the_same_submissions_is_queued(database: str, make_run: Callable[..., Run]) -> None:
    ids = all_at_once(database, lambda store, _: [store.add(make_run(idempotency_key="k")).id])
    assert len(set(ids)) == 1
    store = RunStore(database)
    assert store.unfinished() == 1
    store.close()
