"""A worker: every run that is submitted ends, whatever happens to who does it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from modelserve.pipelines.course import Outcome, Status, Unit, Work
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.store import Run, RunStatus, new_run
from modelserve.pipelines.working import waking

Make = Callable[..., Pipeline]


async def add_one(_: Run, work: Work) -> Any:
    return work.inputs["x"] + 1


async def test_runs_end_with_their_outputs(site: Any, pipeline: Make) -> None:
    async def do(run: Run, work: Work) -> Any:
        if run.idempotency_key == "bad" and work.unit.step == "second":
            raise RuntimeError("no")
        return work.inputs["x"] + 1

    async with site.working(do):
        good, bad = [await site.submit(pipeline(), idempotency_key=key) for key in ("good", "bad")]
        ended = await site.ended(good)
        assert (ended.status, ended.output, ended.error) == (RunStatus.SUCCEEDED, 3, "")
        assert ended.began is not None
        assert ended.created <= ended.began <= ended.ended
        failed = await site.ended(bad)
    assert (failed.status, failed.output, failed.error) == (RunStatus.FAILED, None, "step second: no")
    assert site.store.record(bad)[Unit("first")] == Outcome(Status.SUCCEEDED, 2, tries=1)
    assert site.counted("modelserve_pipeline_runs_total", pipeline="names", outcome="succeeded") == 1
    assert site.counted("modelserve_pipeline_runs_total", pipeline="names", outcome="failed") == 1
    assert site.counted("modelserve_pipeline_runs_in_progress") == 0


async def test_a_run_that_nobody_was_told_of_is_found(site: Any, pipeline: Make) -> None:
    run_id = await site.submit(pipeline(), wake=False)
    async with site.working(add_one, concurrency=1):
        assert (await site.ended(run_id)).status is RunStatus.SUCCEEDED


async def test_where_no_worker_is_left_one_is_woken(
    site: Any, pipeline: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "WAKE_SECONDS", 0.1)
    monkeypatch.setattr(waking, "LATE_SECONDS", 5.0)
    for ago in (10.0, 20.0, 1.0):
        run = new_run(pipeline(), {}, now=time.time() - ago, idempotency_key=f"{ago}")
        site.store.add(run)
    task = asyncio.create_task(waking.wake_late(site.threads, site.queue))
    woken = [site.run((await asyncio.wait_for(site.queue.next(), 10)).run_id) for _ in range(2)]
    assert [run.idempotency_key for run in woken] == ["20.0", "10.0"], (
        "the one that waits longest comes first"
    )
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(site.queue.next(), 1.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_run_that_was_told_of_often_is_done_once(site: Any, pipeline: Make) -> None:
    done = []

    async def do(_: Run, work: Work) -> Any:
        done.append(work.unit)
        await asyncio.sleep(0.1)
        return 1

    run_id = await site.submit(pipeline())
    for _ in range(20):
        await site.queue.wake(run_id)
    async with site.working(do), site.working(do):
        await site.ended(run_id)
        await site.queue.wake(run_id)
        await asyncio.sleep(0.5)
    assert done == [Unit("first"), Unit("second")]


async def test_no_more_runs_at_a_time_than_there_are_places(site: Any, pipeline: Make) -> None:
    at_once, most = 0, 0

    async def do(_: Run, work: Work) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1
        return 1

    ids = [await site.submit(pipeline(), wake=number % 2 == 0) for number in range(20)]
    async with site.working(do, concurrency=3):
        for run_id in ids:
            assert (await site.ended(run_id)).status is RunStatus.SUCCEEDED
    assert most == 3


async def test_a_run_is_cancelled_in_the_middle_of_a_unit(site: Any, pipeline: Make) -> None:
    given_up = asyncio.Event()

    async def do(_: Run, work: Work) -> Any:
        try:
            await asyncio.sleep(60)
        finally:
            given_up.set()

    async with site.working(do, lease_seconds=1.0):
        run_id = await site.submit(pipeline())
        while site.run(run_id).status is not RunStatus.RUNNING:
            await asyncio.sleep(0.02)
        site.store.cancel(run_id, now=time.time())
        ended = await site.ended(run_id)
        assert given_up.is_set()
    assert (ended.status, ended.error) == (RunStatus.CANCELLED, "")


async def test_a_run_that_was_cancelled_while_it_was_given_back_does_not_begin(
    site: Any, pipeline: Make
) -> None:
    run_id = await site.submit(pipeline())
    claim = site.store.claim(run_id, "before", now=time.time(), lease_seconds=30.0)
    site.store.cancel(run_id, now=time.time())
    site.store.release(claim, now=time.time())
    async with site.working(add_one):
        assert (await site.ended(run_id)).status is RunStatus.CANCELLED
    assert site.store.record(run_id) == {}


async def test_a_run_has_its_time(site: Any, pipeline: Make) -> None:
    async def do(_: Run, work: Work) -> Any:
        await asyncio.sleep(60)

    async with site.working(do):
        ended = await site.ended(await site.submit(pipeline(timeoutSeconds=0.3)))
    assert (ended.status, ended.error) == (RunStatus.FAILED, "it did not end within 0.3 s")


async def test_a_worker_that_is_stopped_gives_its_runs_back_at_once(site: Any, pipeline: Make) -> None:
    begun, done = asyncio.Event(), []

    async def hang(_: Run, work: Work) -> Any:
        if work.unit.step == "second":
            begun.set()
            await asyncio.sleep(60)
        return 1

    async def do(_: Run, work: Work) -> Any:
        done.append(work.unit)
        return 2

    run_id = await site.submit(pipeline())
    async with site.working(hang):
        await begun.wait()
        began = time.monotonic()
    assert time.monotonic() - began < 5.0
    assert site.run(run_id).status is RunStatus.QUEUED
    assert site.counted("modelserve_pipeline_runs_given_up_total", reason="stopped") == 1
    async with site.working(do):
        ended = await site.ended(run_id, seconds=5.0)
    assert (ended.status, ended.output, done) == (RunStatus.SUCCEEDED, 2, [Unit("second")])


async def test_a_worker_that_slept_through_its_lease_writes_nothing(site: Any, pipeline: Make) -> None:
    async def sleep(run: Run, work: Work) -> Any:
        time.sleep(1.5)  # the whole process, as in a pause of its machine
        claim = site.store.claim(run.id, "another", now=time.time(), lease_seconds=30.0)
        site.store.keep(claim, work.unit, Outcome(Status.SUCCEEDED, "another's"))
        return "late"

    async with site.working(sleep, lease_seconds=1.0):
        run_id = await site.submit(pipeline())
        until = time.monotonic() + 20
        while not site.counted("modelserve_pipeline_runs_given_up_total", reason="lease_lost"):
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
    assert site.run(run_id).status is RunStatus.RUNNING
    assert site.store.record(run_id) == {Unit("first"): Outcome(Status.SUCCEEDED, "another's")}


async def test_a_run_whose_worker_died_is_gone_on_with(site: Any, pipeline: Make) -> None:
    run_id = await site.submit(pipeline())
    claim = site.store.claim(run_id, "dead", now=time.time(), lease_seconds=0.5)
    site.store.keep(claim, Unit("first"), Outcome(Status.SUCCEEDED, 41))
    async with site.working(add_one):
        assert (await site.ended(run_id)).output == 42


async def test_a_run_that_ends_all_its_workers_is_a_dead_letter(site: Any, pipeline: Make) -> None:
    run_id = await site.submit(pipeline())
    for turn in range(10):
        assert site.store.claim(run_id, "dead", now=turn * 10.0, lease_seconds=1.0) is not None
    async with site.working(add_one):
        ended = await site.ended(run_id)
    assert ended.status is RunStatus.FAILED
    assert ended.error.startswith("10 workers one after the other ended before")


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ({1}, "the output of step first is no JSON: Type is not JSON serializable: set"),
        (KeyError("x"), "unexpected KeyError: 'x'"),
    ],
)
async def test_what_cannot_go_on_fails_and_nothing_else_does(
    site: Any, pipeline: Make, output: Any, error: str
) -> None:
    async def do(run: Run, work: Work) -> Any:
        if run.idempotency_key == "bad":
            if isinstance(output, Exception):
                raise output
            return output
        return 1

    async with site.working(do, concurrency=1):
        bad, good = [await site.submit(pipeline(), idempotency_key=key) for key in ("bad", "good")]
        assert (await site.ended(good)).status is RunStatus.SUCCEEDED
        ended = await site.ended(bad)
    assert (ended.status, ended.error) == (RunStatus.FAILED, error)


async def test_what_ended_long_ago_is_forgotten(
    site: Any, pipeline: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelserve.pipelines.working.worker._FORGET_SECONDS", 0.1)
    old, new = [await site.submit(pipeline(), wake=False) for _ in range(2)]
    for run_id, ended in ((old, time.time() - 3700.0), (new, time.time() - 3500.0)):
        claim = site.store.claim(run_id, "me", now=1.0, lease_seconds=1.0)
        site.store.finish(claim, RunStatus.SUCCEEDED, now=ended)
    async with site.working(add_one):
        until = time.monotonic() + 20
        while site.store.get(old) is not None:
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
    assert site.store.get(new) is not None
