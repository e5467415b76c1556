"""The store on SQLite and PostgreSQL: what a run is, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from modelserve.database import StoreError
from modelserve.errors import InvalidInput
from modelserve.pipelines.course import Outcome, Status, Unit
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.store import Claim, KeyReused, LeaseLost, Run, RunStatus, RunStore, new_id

GOOD = Outcome(Status.SUCCEEDED, {"label": ["Ådå\0"], "score": [0.5]}, tries=2)
BAD = Outcome(Status.FAILED, None, "the model said \0\ud800", 1)


def claimed(store: RunStore, run: Run, owner: str = "one", *, now: float = 0.0) -> Claim:
    claim = store.claim(run.id, owner, now=now, lease_seconds=30.0)
    assert claim is not None
    return claim


def test_a_run_is_as_it_was_submitted(store: RunStore, make_run: Callable[..., Run]) -> None:
    run = make_run(now=5.0, webhook="http://hook", traceparent="00-1-2-01", idempotency_key="k")
    assert store.add(run) == run == store.get(run.id)
    assert Pipeline.model_validate_json(run.definition).spec.steps[1].inputs == {"x": "steps.first.output"}
    assert store.get("another") is None
    claim = claimed(store, run, now=7.0)
    assert claim.run == replace(run, status=RunStatus.RUNNING, began=7.0)


def test_what_was_not_said_in_a_definition_stays_unsaid(make_run: Callable[..., Run]) -> None:
    again = Pipeline.model_validate_json(make_run().definition)
    assert again.model_dump(exclude_unset=True)["spec"]["steps"][0] == {"name": "first", "model": "m"}


def test_ids_sort_by_time() -> None:
    ids = [new_id(now) for now in (1.0, 1.01, 1_800_000_000.0)]
    assert ids == sorted(ids)
    assert len({new_id(1.0) for _ in range(100)}) == 100
    assert {len(one) for one in ids} == {32}


def test_a_submission_that_comes_again_is_the_same_run(store: RunStore, make_run: Callable[..., Run]) -> None:
    first = store.add(make_run(idempotency_key="k"))
    assert store.add(make_run(idempotency_key="k")) == first
    assert store.add(make_run(idempotency_key="l")).id != first.id
    assert store.add(make_run()).id != store.add(make_run()).id
    elsewhere = replace(make_run(idempotency_key="k"), pipeline="another")
    assert store.add(elsewhere) == elsewhere
    with pytest.raises(KeyReused, match=f"other inputs, for run {first.id}; the same inputs, or another key"):
        store.add(replace(make_run(idempotency_key="k"), inputs={"text": "Grace"}))


def test_what_is_recorded_is_there_for_the_next_worker(store: RunStore, make_run: Callable[..., Run]) -> None:
    run = store.add(make_run())
    claim = claimed(store, run)
    store.keep(claim, Unit("first"), GOOD)
    store.keep(claim, Unit("items", 3), BAD)
    assert store.record(run.id) == {
        Unit("first"): GOOD,
        Unit("items", 3): replace(BAD, error="the model said \N{REPLACEMENT CHARACTER}?"),
    }
    store.keep(claim, Unit("first"), replace(GOOD, output="another"))
    assert store.record(run.id)[Unit("first")] == GOOD, "the first stands"


@pytest.mark.parametrize("output", [{1, 2}, 2**70, "\ud800", {"x": object()}])
def test_what_is_no_json_is_refused(store: RunStore, make_run: Callable[..., Run], output: object) -> None:
    run = store.add(make_run())
    claim = claimed(store, run)
    with pytest.raises(InvalidInput, match="the output of step first is no JSON"):
        store.keep(claim, Unit("first"), Outcome(Status.SUCCEEDED, output))
    with pytest.raises(InvalidInput, match="the output is no JSON"):
        store.finish(claim, RunStatus.SUCCEEDED, output=output, now=1.0)
    with pytest.raises(InvalidInput, match="what a run is given is no JSON"):
        store.add(replace(make_run(), inputs={"x": output}))
    assert store.record(run.id) == {}
    store.finish(claim, RunStatus.SUCCEEDED, output=[float("nan")], now=1.0)
    ended = store.get(run.id)
    assert ended is not None
    assert ended.output == [None]


def test_a_claim_that_was_slept_through_is_void(store: RunStore, make_run: Callable[..., Run]) -> None:
    run = store.add(make_run())
    asleep = claimed(store, run, "asleep", now=0.0)
    assert store.claim(run.id, "another", now=30.0, lease_seconds=30.0) is None
    awake = claimed(store, run, "awake", now=30.1)
    for write in (
        lambda: store.renew(asleep, now=31.0),
        lambda: store.keep(asleep, Unit("first"), GOOD),
        lambda: store.finish(asleep, RunStatus.SUCCEEDED, now=31.0),
        lambda: store.release(asleep, now=31.0),
    ):
        with pytest.raises(LeaseLost, match=f"run {run.id} is no longer asleep's"):
            write()
    assert store.record(run.id) == {}
    assert not store.renew(awake, now=31.0)
    assert store.claim(run.id, "third", now=61.0, lease_seconds=30.0) is None, "it was renewed"


def test_what_was_slept_through_and_not_claimed_goes_on(
    store: RunStore, make_run: Callable[..., Run]
) -> None:
    run = store.add(make_run())
    claim = claimed(store, run)
    store.keep(claim, Unit("first"), GOOD)
    store.finish(claim, RunStatus.SUCCEEDED, output=1, now=1000.0)
    with pytest.raises(LeaseLost):
        store.finish(claim, RunStatus.FAILED, error="no", now=1001.0)


def test_claims_in_vain_are_counted_until_something_is_recorded(
    store: RunStore, make_run: Callable[..., Run]
) -> None:
    run = store.add(make_run())
    seen = []
    for turn in range(4):
        claim = claimed(store, run, now=turn * 100.0)
        seen.append(claim.begun_in_vain)
        if turn == 1:
            store.keep(claim, Unit("first"), GOOD)
    store.release(claim, now=400.0)
    seen.append(claimed(store, run, now=400.0).begun_in_vain)
    assert seen == [1, 2, 1, 2, 2], "who gives a run back did not begin in vain"


def test_a_queued_run_is_cancelled_at_once_and_a_running_one_is_asked(
    store: RunStore, make_run: Callable[..., Run]
) -> None:
    queued, running, gone = (store.add(make_run(webhook="http://hook")) for _ in range(3))
    claim = claimed(store, running, now=100.0)
    claimed(store, gone, now=0.0)
    found = [store.cancel(run.id, now=101.0) for run in (queued, running, gone)]
    assert [(run.status, run.ended) for run in found if run is not None] == [
        (RunStatus.CANCELLED, 101.0),
        (RunStatus.RUNNING, None),
        (RunStatus.CANCELLED, 101.0),
    ]
    assert store.renew(claim, now=102.0)
    store.release(claim, now=103.0)
    assert claimed(store, running).run.cancel_asked, "whoever has it next is told too"
    assert store.cancel(queued.id, now=200.0) == found[0], "what has ended stays as it is"
    assert store.cancel("another", now=0.0) is None


def test_a_failed_run_goes_on_from_what_failed(store: RunStore, make_run: Callable[..., Run]) -> None:
    run = store.add(make_run())
    claim = claimed(store, run, now=1.0)
    record = {
        Unit("first"): BAD,
        Unit("second"): replace(GOOD, status=Status.FELL_BACK),
        Unit("other"): GOOD,
        Unit("items", 0): GOOD,
        Unit("items", 1): BAD,
        Unit("items"): replace(GOOD, status=Status.FELL_BACK),
    }
    for unit, outcome in record.items():
        store.keep(claim, unit, outcome)
    assert store.resend(run.id, now=2.0) is None, "it has not failed"
    store.finish(claim, RunStatus.FAILED, error="step first: no", now=3.0)
    assert [one.id for one in store.runs(status=RunStatus.FAILED)] == [run.id]
    again = store.resend(run.id, now=4.0)
    assert again == replace(run, round=2)
    assert again == store.get(run.id)
    assert store.record(run.id) == {Unit("other"): GOOD, Unit("items", 0): GOOD}
    assert store.resend(run.id, now=4.0) is None
    assert claimed(store, run, now=5.0).run.began == 5.0, "its time begins anew"
    with pytest.raises(LeaseLost):
        store.keep(claim, Unit("first"), GOOD)


def test_what_depends_on_a_failed_item_is_done_again(store: RunStore, make_run: Callable[..., Run]) -> None:
    run = store.add(make_run())
    claim = claimed(store, run)
    for unit in (Unit("items", 0), Unit("items"), Unit("first")):
        store.keep(claim, unit, GOOD)
    store.keep(claim, Unit("other"), BAD)
    store.finish(claim, RunStatus.FAILED, error="step other: no", now=1.0)
    store.resend(run.id, now=2.0)
    assert store.record(run.id) == {Unit("first"): GOOD}, "items of a list that is made anew are new"


def test_late_runs_are_told_to_one_until_they_are_late_again(
    store: RunStore, make_run: Callable[..., Run]
) -> None:
    waiting, claimed_late, held = (store.add(make_run(now=now)) for now in (0.0, 1.0, 2.0))
    claimed(store, claimed_late, now=3.0)
    claimed(store, held, now=20.0)
    ended = store.add(make_run(now=0.0))
    store.finish(claimed(store, ended), RunStatus.SUCCEEDED, now=4.0)

    def late(now: float, limit: int = 9) -> list[str]:
        return store.overdue(now=now, late_seconds=10.0, limit=limit)

    assert late(9.0) == []
    assert late(40.0, limit=1) == [waiting.id]
    assert late(40.0) == [claimed_late.id]
    assert late(40.0) == []
    assert set(late(50.5)) == {waiting.id, claimed_late.id, held.id}


def test_lists_and_counts(store: RunStore, make_run: Callable[..., Run]) -> None:
    runs = [store.add(make_run(now=float(number))) for number in range(5)]
    other = store.add(replace(make_run(now=9.0), pipeline="another"))
    assert store.unfinished() == 6
    for run in runs[:2]:
        store.finish(claimed(store, run), RunStatus.FAILED, error="no", now=20.0)
    assert store.unfinished() == 4
    assert [run.id for run in store.runs(pipeline="names", limit=3)] == [run.id for run in runs[:1:-1]]
    assert store.runs(status=RunStatus.QUEUED, limit=1) == [other]
    assert len(store.runs(pipeline="names", status=RunStatus.FAILED)) == 2


def test_what_ended_long_ago_is_forgotten_whole(store: RunStore, make_run: Callable[..., Run]) -> None:
    old, new, never = (store.add(make_run(webhook="http://hook")) for _ in range(3))
    for run, ended in ((old, 10.0), (new, 20.0)):
        claim = claimed(store, run)
        store.keep(claim, Unit("first"), GOOD)
        store.finish(claim, RunStatus.SUCCEEDED, now=ended)
    assert store.forget(before=20.0) == 1
    assert store.get(old.id) is None
    assert store.record(old.id) == {}
    assert store.record(new.id) == {Unit("first"): GOOD}
    assert store.get(never.id) is not None
    notices = store.outbox.take(now=99.0, since=0.0, hold_seconds=1.0, limit=9)
    assert [one.run for one in notices] == [new.id]


def test_notices_are_one_senders_at_a_time(store: RunStore, make_run: Callable[..., Run]) -> None:
    run = store.add(make_run(webhook="http://hook"))
    store.finish(claimed(store, run), RunStatus.FAILED, error="no", now=10.0)
    store.resend(run.id, now=11.0)
    store.finish(claimed(store, run, now=11.0), RunStatus.SUCCEEDED, output={"x": 1}, now=12.0)
    silent = store.add(make_run())
    store.finish(claimed(store, silent), RunStatus.SUCCEEDED, now=12.0)

    def take(now: float, since: float = 0.0) -> list[tuple[int, RunStatus, object, str, int]]:
        found = store.outbox.take(now=now, since=since, hold_seconds=30.0, limit=9)
        taken.extend(found)
        return sorted((one.round, one.status, one.output, one.error, one.tries) for one in found)

    taken: list[object] = []
    first, second = (1, RunStatus.FAILED, None, "no"), (2, RunStatus.SUCCEEDED, {"x": 1}, "")
    assert take(9.0) == []
    assert take(12.0) == [(*first, 1), (*second, 1)]
    assert take(41.0) == [], "they are held"
    one, two = sorted(
        store.outbox.take(now=42.0, since=0.0, hold_seconds=30.0, limit=9), key=lambda x: x.round
    )
    assert (one.run, one.webhook, one.pipeline, one.at) == (run.id, "http://hook", "names", 10.0)
    store.outbox.mark_told(one)
    store.outbox.put_off(two, until=50.0)
    assert take(50.0) == [(*second, 3)]
    assert take(500.0, since=12.5) == [], "given up"


def test_a_store_that_cannot_be_opened_says_what_is_accepted() -> None:
    with pytest.raises(StoreError, match="a URL as sqlite:///"):
        RunStore("sqlite:////nowhere/at/all.db")
