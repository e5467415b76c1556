"""Goes on with one claimed run, as far as it gets here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from modelserve.concurrency import end_all
from modelserve.database import StoreError
from modelserve.errors import ModelServeError
from modelserve.pipelines.course import Course, End, Outcome, Unit
from modelserve.pipelines.definition.expressions import Json
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.running.driver import Worker, drive
from modelserve.pipelines.store import Claim, Run, RunStatus
from modelserve.pipelines.working.threads import StoreThreads

WorkerFactory = Callable[[Run, Pipeline], Worker]
"""Makes who does the units of a run."""

_MOST_IN_VAIN = 10
"""Claims of a run after each of which its worker was gone before anything was recorded: it may be the run."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, by itself or not."""

    status: RunStatus
    output: Json = None
    error: str = ""


async def go_on(claim: Claim, threads: StoreThreads, make_worker: WorkerFactory) -> Ending:
    """Do what a run has left, and end it in the store.

    Cancelled, it leaves the run as it is: the claim is the caller's to give back.

    Args:
        claim: of the run.
        threads: of the store.
        make_worker: makes who does the units.

    Raises:
        LeaseLost: the run is another's by now.
        StoreError: the store was away for as long as the lease.
    """
    try:
        ending = await _done(claim, threads, make_worker)
        await _finish(claim, threads, ending)
    except StoreError:
        raise
    except Exception as error:
        # As what a function gives may be no JSON, which it will not be with another try either.
        ending = Ending(RunStatus.FAILED, error=_said(error))
        await _finish(claim, threads, ending)
    return ending


def _said(error: Exception) -> str:
    if isinstance(error, ModelServeError):
        return str(error)
    logger.error("a run has met a mistake of ours", exc_info=error)
    return f"unexpected {type(error).__name__}: {error}"


async def _finish(claim: Claim, threads: StoreThreads, ending: Ending) -> None:
    await threads.insist(
        lambda: threads.store.finish(
            claim, ending.status, output=ending.output, error=ending.error, now=time.time()
        ),
        seconds=claim.lease_seconds,
    )


async def _done(claim: Claim, threads: StoreThreads, make_worker: WorkerFactory) -> Ending:
    run = claim.run
    if run.cancel_asked:
        return Ending(RunStatus.CANCELLED)
    if claim.begun_in_vain > _MOST_IN_VAIN:
        error = f"{_MOST_IN_VAIN} workers one after the other ended before they recorded anything of it"
        return Ending(RunStatus.FAILED, error=error)
    record = await threads.insist(lambda: threads.store.record(run.id), seconds=claim.lease_seconds)
    pipeline = Pipeline.model_validate_json(run.definition)

    async def keep(unit: Unit, outcome: Outcome) -> None:
        await threads.insist(lambda: threads.store.keep(claim, unit, outcome), seconds=claim.lease_seconds)

    driving = asyncio.ensure_future(
        drive(Course(pipeline, run.inputs), record, make_worker(run, pipeline), keep)
    )
    renewing = asyncio.ensure_future(_renew_until_cancelled(claim, threads))
    began = time.time() if run.began is None else run.began
    left_seconds = max(0.0, began + pipeline.spec.timeout_seconds - time.time())
    try:
        await asyncio.wait((driving, renewing), timeout=left_seconds, return_when=asyncio.FIRST_COMPLETED)
        if driving.done():
            return _ended(driving.result())
        if renewing.done():
            renewing.result()
            return Ending(RunStatus.CANCELLED)
        error = f"it did not end within {pipeline.spec.timeout_seconds:g} s"
        return Ending(RunStatus.FAILED, error=error)
    finally:
        await end_all([driving, renewing])


def _ended(end: End) -> Ending:
    return Ending(RunStatus.FAILED if end.has_failed else RunStatus.SUCCEEDED, end.output, end.error)


async def _renew_until_cancelled(claim: Claim, threads: StoreThreads) -> None:
    """Keep the lease; returns when the run is to be cancelled.

    Raises:
        LeaseLost: the claim is void.
        StoreError: the lease cannot be renewed before it runs out.
    """
    while True:
        await asyncio.sleep(claim.lease_seconds / 3)
        if await threads.insist(
            lambda: threads.store.renew(claim, now=time.time()), seconds=claim.lease_seconds / 2
        ):
            return
