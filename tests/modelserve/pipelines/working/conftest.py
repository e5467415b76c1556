"""Workers in the test's own event loop, whose units do what the test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from modelserve.pipelines.course import Outcome, Status, Work
from modelserve.pipelines.definition.models import Pipeline, Step
from modelserve.pipelines.queueing import LocalQueue
from modelserve.pipelines.running.observing import PipelineMetrics
from modelserve.pipelines.store import Run, RunStatus, RunStore, new_run
from modelserve.pipelines.working import worker as module
from modelserve.pipelines.working.metrics import WorkerMetrics
from modelserve.pipelines.working.threads import StoreThreads
from modelserve.pipelines.working.worker import RunWorker
from modelserve.telemetry import configure_tracing

Do = Callable[[Run, Work], Awaitable[Any]]


class Units:
    """``Worker`` whose units give what a function gives."""

    def __init__(self, run: Run, do: Do) -> None:
        self._run, self._do = run, do

    async def do(self, step: Step, work: Work, *, failed: Callable[[str, int], Outcome]) -> Outcome:
        try:
            return Outcome(Status.SUCCEEDED, await self._do(self._run, work), tries=1)
        except RuntimeError as error:
            return failed(str(error), 1)


class Site:
    """A store, a queue, and workers on them."""

    def __init__(self, url: str) -> None:
        self.store = RunStore(url)
        self.threads = StoreThreads(self.store)
        self.queue = LocalQueue()
        self.registry = CollectorRegistry()
        self.metrics, self.own = PipelineMetrics(self.registry), WorkerMetrics(self.registry)

    async def submit(self, pipeline: Pipeline, *, wake: bool = True, **options: Any) -> str:
        run = self.store.add(new_run(pipeline, {"x": 1}, now=time.time(), **options))
        if wake:
            await self.queue.wake(run.id)
        return run.id

    def run(self, run_id: str) -> Run:
        run = self.store.get(run_id)
        assert run is not None
        return run

    async def ended(self, run_id: str, *, seconds: float = 30.0) -> Run:
        """The run, once it has ended."""
        until = time.monotonic() + seconds
        while (run := self.run(run_id)).status in (RunStatus.QUEUED, RunStatus.RUNNING):
            assert time.monotonic() < until, run
            await asyncio.sleep(0.02)
        return run

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    @asynccontextmanager
    async def working(
        self, do: Do, *, lease_seconds: float = 30.0, concurrency: int = 8
    ) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        worker = RunWorker(
            self.threads,
            self.queue,
            lambda run, _: Units(run, do),
            metrics=self.metrics,
            own=self.own,
            tracing=configure_tracing(service_name="test", revision="test"),
            concurrency=concurrency,
            lease_seconds=lease_seconds,
            keep_seconds=3600.0,
        )
        task = asyncio.create_task(worker.run(stopping))
        try:
            yield
        finally:
            stopping.set()
            await asyncio.wait_for(task, 20)


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The URL of an empty database."""
    return f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture
def site(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.2)
    monkeypatch.setattr(module, "LATE_SECONDS", 0.3)
    made = Site(database)
    yield made
    made.threads.close()
    made.store.close()


@pytest.fixture
def pipeline() -> Callable[..., Pipeline]:
    """Two steps, one after the other."""

    def make(**spec: Any) -> Pipeline:
        steps = [
            {"name": "first", "model": "m", "inputs": {"x": "inputs.x"}},
            {"name": "second", "model": "m", "inputs": {"x": "steps.first.output"}},
        ]
        whole = {"models": {"m": {"url": "http://model"}}, "steps": steps, "output": "steps.second.output"}
        return Pipeline.model_validate({"metadata": {"name": "names"}, "spec": {**whole, **spec}})

    return make
