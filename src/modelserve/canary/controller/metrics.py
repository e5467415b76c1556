"""What Prometheus is told of canaries."""

from __future__ import annotations

import threading

from prometheus_client import CollectorRegistry, Counter, Gauge

from modelserve.canary.judge.verdicts import Verdict
from modelserve.canary.running.driver import Progress

_WHOSE = ("namespace", "model", "revision")


class CanaryMetrics:
    """Of each service's newest canary. ``model`` is the InferenceService, or Knative Service.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._percent = Gauge(
            "modelserve_canary_traffic_percent", "Of the calls, to the canary.", _WHOSE, registry=registry
        )
        self._verdict = Gauge(
            "modelserve_canary_verdict",
            "1 for the last verdict on the canary, 0 for the others.",
            (*_WHOSE, "verdict"),
            registry=registry,
        )
        self._steps = Counter(
            "modelserve_canary_steps_total",
            "Steps of canaries by how they ended: advanced, promoted, rolled_back, superseded.",
            ("namespace", "model", "outcome"),
            registry=registry,
        )
        self._shown: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def tell(self, namespace: str, service: str, progress: Progress, verdict: Verdict | None) -> None:
        """A canary stands there now, and this is the last verdict on it, where there is one."""
        revision = progress.course.expected.canary or ""
        with self._lock:
            if self._shown.get((namespace, service), revision) != revision:
                self._remove(namespace, service)
            self._shown[namespace, service] = revision
            whose = (namespace, service, revision)
            if progress.percent is not None:
                self._percent.labels(*whose).set(progress.percent)
            if verdict is not None:
                for one in Verdict:
                    self._verdict.labels(*whose, one.value).set(one is verdict)

    def step_ended(self, namespace: str, service: str, outcome: str) -> None:
        """A step is over."""
        self._steps.labels(namespace, service, outcome).inc()

    def forget(self, namespace: str, service: str) -> None:
        """There is no canary of the service to tell of."""
        with self._lock:
            self._remove(namespace, service)

    def _remove(self, namespace: str, service: str) -> None:
        revision = self._shown.pop((namespace, service), None)
        if revision is not None:
            self._percent.remove_by_labels({"namespace": namespace, "model": service})
            self._verdict.remove_by_labels({"namespace": namespace, "model": service})
