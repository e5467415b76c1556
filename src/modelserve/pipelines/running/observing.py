"""What is told of runs and steps: metrics, and spans that tie a run's model calls to whoever began it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram

from modelserve.errors import ModelServeError
from modelserve.pipelines.course import Outcome, Status, Work
from modelserve.pipelines.definition.models import Step
from modelserve.pipelines.running.driver import Worker
from modelserve.telemetry import Call, Tracing, current_call

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class PipelineMetrics:
    """Counters and histograms of runs and steps.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._runs = Counter(
            "modelserve_pipeline_runs",
            "Runs that ended, by how: succeeded, failed, cancelled.",
            ("pipeline", "outcome"),
            registry=registry,
        )
        self._run_seconds = Histogram(
            "modelserve_pipeline_run_seconds",
            "From the first step of a run to its end, in the process that ended it.",
            ("pipeline",),
            buckets=_SECONDS,
            registry=registry,
        )
        step = ("pipeline", "step")
        self._steps = Counter(
            "modelserve_pipeline_steps",
            "Steps and items that were done, by how: succeeded, fellBack, failed.",
            (*step, "outcome"),
            registry=registry,
        )
        self._tries = Counter(
            "modelserve_pipeline_step_tries", "Tries of steps and items.", step, registry=registry
        )
        self._step_seconds = Histogram(
            "modelserve_pipeline_step_seconds",
            "A step or an item with all its tries and pauses.",
            step,
            buckets=_SECONDS,
            registry=registry,
        )

    def tell_run(self, pipeline: str, outcome: str, seconds: float) -> None:
        """A run came to an end here."""
        self._runs.labels(pipeline, outcome).inc()
        self._run_seconds.labels(pipeline).observe(seconds)

    def tell_step(self, pipeline: str, step: str, outcome: Outcome, seconds: float) -> None:
        """A step, or one of its items, was done here."""
        self._steps.labels(pipeline, step, outcome.status.value).inc()
        self._tries.labels(pipeline, step).inc(outcome.tries)
        self._step_seconds.labels(pipeline, step).observe(seconds)


class Observed:
    """A ``Worker`` whose work is counted, timed and traced.

    Args:
        worker: does it.
        pipeline: by its name.
        metrics: are told.
        tracing: makes the spans, children of the call that is current.
    """

    def __init__(self, worker: Worker, pipeline: str, metrics: PipelineMetrics, tracing: Tracing) -> None:
        self._worker, self._pipeline = worker, pipeline
        self._metrics, self._tracing = metrics, tracing

    async def do(self, step: Step, work: Work, *, failed: Callable[[str, int], Outcome]) -> Outcome:
        """See ``Worker.do``."""
        began = time.monotonic()
        attributes = {"modelserve.pipeline": self._pipeline, "modelserve.step": step.name}
        if work.unit.index >= 0:
            attributes["modelserve.item"] = str(work.unit.index)
        with span(self._tracing, f"step {step.name}", attributes) as call, call.active():
            outcome = await self._worker.do(step, work, failed=failed)
            has_failed = outcome.status is Status.FAILED
            call.end(
                outcome=outcome.status.value, error=ModelServeError(outcome.error) if has_failed else None
            )
        self._metrics.tell_step(self._pipeline, step.name, outcome, time.monotonic() - began)
        return outcome


@contextmanager
def span(
    tracing: Tracing, name: str, attributes: Mapping[str, str], *, traceparent: str | None = None
) -> Iterator[Call]:
    """A span below the one of ``traceparent``, or else below the current call's.

    Whoever is in it ends it; what it raises ends it here.
    """
    carrier: dict[str, str] = {}
    if traceparent is None:
        current_call().inject(carrier)
    else:
        carrier["traceparent"] = traceparent
    call = tracing.start(name, carrier=carrier, attributes=attributes)
    try:
        yield call
    except BaseException as error:
        call.end(outcome="given up", error=error)
        raise
