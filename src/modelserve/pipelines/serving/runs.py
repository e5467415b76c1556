"""What callers may do with runs, whichever way they ask for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelserve.database import StoreError
from modelserve.errors import NotFound, Overloaded, RequestError
from modelserve.pipelines.course import Outcome, Unit
from modelserve.pipelines.definition.expressions import Json
from modelserve.pipelines.definition.inputs import check_inputs
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.queueing import Queue
from modelserve.pipelines.store import ENDS, KeyReused, Run, RunStatus, new_run
from modelserve.pipelines.working.threads import StoreThreads

_RETRY_SECONDS = 5
_QUICK_SECONDS = 0.02
_SLOW_SECONDS = 0.5


class Conflict(RequestError):
    """A run is past what is asked of it."""

    http_status = 409
    grpc_status = "FAILED_PRECONDITION"


@dataclass(frozen=True, slots=True)
class Asked:
    """A run as somebody asks for it.

    Attributes:
        pipeline: by its name.
        inputs: that they give.
        webhook: the URL that is told of the run's end; None where nobody is.
        idempotency_key: by which a request that comes again is known; None where it is not to be.
        traceparent: of the caller's trace.
    """

    pipeline: str
    inputs: Mapping[str, Json]
    webhook: str | None = None
    idempotency_key: str | None = None
    traceparent: str | None = None


class Runs:
    """Begins runs and tells of them.

    Args:
        pipelines: that can be run, by their names.
        threads: of the store that keeps the runs.
        queue: wakes those who do them.
        most_unfinished: with so many runs that have not ended, no further one is taken.
    """

    def __init__(
        self, pipelines: Mapping[str, Pipeline], threads: StoreThreads, queue: Queue, *, most_unfinished: int
    ) -> None:
        self.pipelines = pipelines
        self._threads, self._queue, self._most_unfinished = threads, queue, most_unfinished
        self._store = threads.store

    def pipeline(self, name: str) -> Pipeline:
        """A pipeline by its name.

        Raises:
            NotFound: there is none.
        """
        if name not in self.pipelines:
            known = ", ".join(sorted(self.pipelines)) or "none"
            raise NotFound(f"pipeline {name[:80]!r} is unknown; this server has {known}")
        return self.pipelines[name]

    async def begin(self, asked: Asked) -> Run:
        """Take a run: from here on it ends, whatever happens to this process.

        Raises:
            NotFound: there is no such pipeline.
            InvalidInput: the inputs are none that it takes.
            Conflict: its key was that of a run with other inputs.
            Overloaded: too many runs wait.
        """
        pipeline = self.pipeline(asked.pipeline)
        run = new_run(
            pipeline,
            check_inputs(pipeline, asked.inputs),
            now=time.time(),
            webhook=asked.webhook,
            traceparent=asked.traceparent,
            idempotency_key=asked.idempotency_key,
        )
        kept = await self._threads.call(lambda: self._kept(run))
        await self._wake(kept)
        return kept

    def _kept(self, run: Run) -> Run:
        unfinished = self._store.unfinished()
        if unfinished >= self._most_unfinished:
            raise Overloaded(
                f"{unfinished} runs have not ended, as many as are taken; try again after {_RETRY_SECONDS} s",
                retry_after_seconds=_RETRY_SECONDS,
            )
        try:
            return self._store.add(run)
        except KeyReused as error:
            raise Conflict(str(error)) from error

    async def get(self, run_id: str, *, wait_seconds: float = 0.0) -> Run:
        """A run, when it has ended or the time is over.

        Raises:
            NotFound: there is none, or it ended so long ago that it was forgotten.
        """
        deadline = time.monotonic() + wait_seconds
        pause = _QUICK_SECONDS
        while True:
            run = await self._threads.call(lambda: self._store.get(run_id))
            if run is None:
                raise NotFound(f"run {run_id[:80]!r} is unknown, or it ended long ago")
            left = deadline - time.monotonic()
            if run.status in ENDS or left <= 0:
                return run
            await asyncio.sleep(min(pause, left))
            pause = min(1.5 * pause, _SLOW_SECONDS)

    async def record(self, run_id: str) -> Mapping[Unit, Outcome]:
        """What came of a run's steps and items so far."""
        return await self._threads.call(lambda: self._store.record(run_id))

    async def list(self, *, pipeline: str | None, status: RunStatus | None, limit: int) -> Sequence[Run]:
        """Runs, the newest first."""
        return await self._threads.call(
            lambda: self._store.runs(pipeline=pipeline, status=status, limit=limit)
        )

    async def cancel(self, run_id: str) -> Run:
        """Ask for a run's end.

        Raises:
            NotFound: there is no such run.
            Conflict: it has ended.
        """
        await self.get(run_id)
        run = await self._threads.call(lambda: self._store.cancel(run_id, now=time.time()))
        if run is None or run.status in (RunStatus.SUCCEEDED, RunStatus.FAILED):
            raise Conflict(f"run {run_id} has ended; one that has not can be cancelled")
        return run

    async def resend(self, run_id: str) -> Run:
        """Go on with a run that failed, from the steps that did.

        Raises:
            NotFound: there is no such run.
            Conflict: it did not fail.
        """
        await self.get(run_id)
        run = await self._threads.call(lambda: self._store.resend(run_id, now=time.time()))
        if run is None:
            raise Conflict(f"run {run_id} is no dead letter; a run that failed can be sent again")
        await self._wake(run)
        return run

    async def is_ready(self) -> bool:
        """Whether a run could be taken."""
        try:
            await self._threads.call(self._store.unfinished)
        except StoreError:
            return False
        return True

    async def _wake(self, run: Run) -> None:
        """Have somebody look at a run soon; where the queue is away, the workers' next sweep finds it."""
        await self._queue.wake(run.id)
