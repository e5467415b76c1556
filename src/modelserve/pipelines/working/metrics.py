"""What is told of a worker itself, beside the runs that it does."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

_REASONS = ("stopped", "lease_lost", "no_store")
_OUTCOMES = ("told", "refused")


class WorkerMetrics:
    """Counters and gauges of one process.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.in_progress = Gauge(
            "modelserve_pipeline_runs_in_progress", "Runs that this process is at.", registry=registry
        )
        self._given_up = Counter(
            "modelserve_pipeline_runs_given_up",
            f"Runs that this process left to others, by why: {', '.join(_REASONS)}.",
            ("reason",),
            registry=registry,
        )
        self._notices = Counter(
            "modelserve_pipeline_notices",
            f"Tries to tell a webhook of a run's end, by how they came out: {', '.join(_OUTCOMES)}.",
            ("outcome",),
            registry=registry,
        )

        # From the beginning, so that the first of its kind is an increase and nothing reads as nothing known.
        for reason in _REASONS:
            self._given_up.labels(reason)
        for outcome in _OUTCOMES:
            self._notices.labels(outcome)

    def given_up(self, reason: str) -> None:
        """A run is another's to go on with."""
        self._given_up.labels(reason).inc()

    def told(self, outcome: str) -> None:
        """A webhook was called."""
        self._notices.labels(outcome).inc()
