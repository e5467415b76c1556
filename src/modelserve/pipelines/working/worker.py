"""A process that does runs: as many at a time as it has places, from the queue and from the store's sweep."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from modelserve.concurrency import end_all
from modelserve.database import StoreError
from modelserve.errors import ModelServeError
from modelserve.pipelines.queueing import Queue, Wakeup
from modelserve.pipelines.running.observing import PipelineMetrics, span
from modelserve.pipelines.store import Claim, LeaseLost, RunStatus, new_id
from modelserve.pipelines.working.going_on import Ending, WorkerFactory, go_on
from modelserve.pipelines.working.metrics import WorkerMetrics
from modelserve.pipelines.working.repeating import again_and_again
from modelserve.pipelines.working.threads import StoreThreads
from modelserve.telemetry import Tracing

SWEEP_SECONDS = 5.0
LATE_SECONDS = 10.0
"""A queued run whose wake-up did not come by then is looked for."""

_FORGET_SECONDS = 600.0
_LAST_SECONDS = 8.0
"""After SIGTERM, to give runs back; what is not given back waits until its lease runs out."""

logger = logging.getLogger(__name__)


class RunWorker:
    """Does runs until it is stopped.

    Args:
        threads: of the store.
        queue: tells of runs.
        make_worker: makes who does the units of a run.
        metrics: of runs.
        own: of this process.
        tracing: makes the spans of runs.
        concurrency: the most runs at a time.
        lease_seconds: after which a run is another's, unless this renews it.
        keep_seconds: how long runs that have ended are kept.
        on_end: called after a run has ended here.
    """

    def __init__(
        self,
        threads: StoreThreads,
        queue: Queue,
        make_worker: WorkerFactory,
        *,
        metrics: PipelineMetrics,
        own: WorkerMetrics,
        tracing: Tracing,
        concurrency: int,
        lease_seconds: float,
        keep_seconds: float,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._threads, self._queue, self._make_worker = threads, queue, make_worker
        self._metrics, self._own, self._tracing = metrics, own, tracing
        self._concurrency, self._places = concurrency, asyncio.Semaphore(concurrency)
        self._lease_seconds, self._keep_seconds, self._on_end = lease_seconds, keep_seconds, on_end
        self._owner = new_id(time.time())
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Do runs, and give back at the end what is not done.

        Args:
            stopping: when it ends.
        """
        ends = asyncio.ensure_future(stopping.wait())
        loops = [
            asyncio.create_task(one)
            for one in (
                self._listen(),
                again_and_again(SWEEP_SECONDS, self._sweep),
                again_and_again(_FORGET_SECONDS, self._forget),
            )
        ]
        everything: list[asyncio.Future[Any]] = [ends, *loops]
        try:
            await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
            for task in loops:
                if task.done():
                    task.result()  # which raises: none of them ends by itself
        finally:
            await end_all(everything)
            await self._give_back()

    async def _listen(self) -> None:
        while True:
            async with self._places:
                pass  # a wake-up that another has a place for must not wait here
            await self._begin(await self._queue.next())

    async def _sweep(self) -> None:
        """Go on with what was not woken, or whose worker is gone."""
        free = self._concurrency - len(self._running)
        if free <= 0:
            return
        found = await self._threads.call(
            lambda: self._threads.store.overdue(now=time.time(), late_seconds=LATE_SECONDS, limit=free)
        )
        for run_id in found:
            await self._begin(Wakeup(run_id))

    async def _forget(self) -> None:
        before = time.time() - self._keep_seconds
        if count := await self._threads.call(lambda: self._threads.store.forget(before=before)):
            logger.info("forgot %d runs that ended long ago", count)

    async def _begin(self, wakeup: Wakeup) -> None:
        await self._places.acquire()
        task = asyncio.create_task(self._serve(wakeup))
        self._running.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._places.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a run is given up", exc_info=error)

    async def _serve(self, wakeup: Wakeup) -> None:
        try:
            claim = await self._threads.insist(
                lambda: self._threads.store.claim(
                    wakeup.run_id, self._owner, now=time.time(), lease_seconds=self._lease_seconds
                ),
                seconds=self._lease_seconds,
            )
            if claim is not None:
                await self._go_on(claim)
        except LeaseLost as error:
            self._own.given_up("lease_lost")
            logger.warning("%s", error)
        except StoreError as error:
            self._own.given_up("no_store")
            logger.warning("run %s is left to be gone on with later: %s", wakeup.run_id, error)
        finally:
            await wakeup.settle()

    async def _go_on(self, claim: Claim) -> None:
        run, began = claim.run, time.monotonic()
        attributes = {"modelserve.pipeline": run.pipeline, "modelserve.run": run.id}
        with (
            self._own.in_progress.track_inprogress(),
            span(self._tracing, f"run {run.pipeline}", attributes, traceparent=run.traceparent) as call,
            call.active(),
        ):
            try:
                ending = await go_on(claim, self._threads, self._make_worker)
            except asyncio.CancelledError:
                await self._release(claim)
                raise
            has_failed = ending.status is RunStatus.FAILED
            call.end(outcome=ending.status.value, error=ModelServeError(ending.error) if has_failed else None)
        self._metrics.tell_run(run.pipeline, ending.status.value, time.monotonic() - began)
        _log(claim, ending)
        self._on_end()

    async def _release(self, claim: Claim) -> None:
        """Let another go on at once."""
        self._own.given_up("stopped")
        try:
            await self._threads.insist(
                lambda: self._threads.store.release(claim, now=time.time()), seconds=_LAST_SECONDS / 2
            )
        except StoreError as error:
            logger.warning("run %s is not given back: %s", claim.run.id, error)
            return
        await self._queue.wake(claim.run.id)

    async def _give_back(self) -> None:
        for task in self._running:
            task.cancel()
        if self._running:
            logger.info("giving %d runs back", len(self._running))
            await asyncio.wait(tuple(self._running), timeout=_LAST_SECONDS)


def _log(claim: Claim, ending: Ending) -> None:
    said = f": {ending.error}" if ending.error else ""
    logger.info("run %s of %s %s%s", claim.run.id, claim.run.pipeline, ending.status.value, said)
