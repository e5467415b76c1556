"""Doing runs in a process, whichever else it does: models, webhooks and the worker put together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry

from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.queueing import Queue
from modelserve.pipelines.running.calling import Caller
from modelserve.pipelines.running.driver import Worker
from modelserve.pipelines.running.observing import Observed, PipelineMetrics
from modelserve.pipelines.running.reaching import Models, Way
from modelserve.pipelines.store import Run
from modelserve.pipelines.working.metrics import WorkerMetrics
from modelserve.pipelines.working.telling import Teller
from modelserve.pipelines.working.threads import StoreThreads
from modelserve.pipelines.working.worker import RunWorker
from modelserve.telemetry import Tracing


async def do_runs(
    threads: StoreThreads,
    queue: Queue,
    stopping: asyncio.Event,
    *,
    registry: CollectorRegistry,
    tracing: Tracing,
    ways: Sequence[Way],
    concurrency: int,
    lease_seconds: float,
    keep_seconds: float,
) -> None:
    """Do runs until it is told to stop, and give back those that are not done.

    Args:
        threads: of the store.
        queue: tells of runs.
        stopping: when it ends.
        registry: of the metrics.
        tracing: makes the spans.
        ways: in which models are asked, the preferred one first.
        concurrency: the most runs at a time.
        lease_seconds: after which a run is another's, unless this process renews it.
        keep_seconds: how long runs that have ended are kept.
    """
    metrics, own = PipelineMetrics(registry), WorkerMetrics(registry)
    async with AsyncExitStack() as stack:
        models = Models(ways=ways)
        stack.push_async_callback(models.close)
        teller = Teller(threads, own)
        telling = asyncio.create_task(teller.run())
        stack.push_async_callback(_cancelled, telling)
        # It ends only by a mistake of its own: who starts processes is to see it.
        telling.add_done_callback(lambda _: stopping.set())

        def make_worker(run: Run, pipeline: Pipeline) -> Worker:
            caller = Caller(pipeline.spec.models, models, run.id)
            return Observed(caller, run.pipeline, metrics, tracing)

        worker = RunWorker(
            threads,
            queue,
            make_worker,
            metrics=metrics,
            own=own,
            tracing=tracing,
            concurrency=concurrency,
            lease_seconds=lease_seconds,
            keep_seconds=keep_seconds,
            on_end=teller.wake,
        )
        await worker.run(stopping)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
