"""What Prometheus is told of drift."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from modelserve.drift.verdicts import Outcome, Verdict

_WHOSE = ("namespace", "model", "revision", "baseline")


class DriftMetrics:
    """Gauges of the last verdict on each revision against each baseline.

    ``model`` is the InferenceService. A revision that is no longer called is taken out when another of the
    same service has a verdict, so that an alert does not outlive the canary that it was of. One of a service
    that nobody calls any more stays until it is forgotten.

    Args:
        registry: where they are registered.
        seconds: after its last window a revision is no longer called.
    """

    def __init__(self, registry: CollectorRegistry, *, seconds: float) -> None:
        self._seconds = seconds
        feature = (*_WHOSE, "feature", "detector")
        self._statistic = Gauge(
            "modelserve_drift_statistic", "Of a feature in the last window.", feature, registry=registry
        )
        self._p_value = Gauge(
            "modelserve_drift_p_value",
            "Of a feature in the last window, corrected for their number.",
            feature,
            registry=registry,
        )
        self._effect = Gauge(
            "modelserve_drift_effect",
            "Of a feature in the last window, from 0 to 1.",
            feature,
            registry=registry,
        )
        self._detected = Gauge(
            "modelserve_drift_detected",
            "1 while enough of the last windows are called drifted.",
            _WHOSE,
            registry=registry,
        )
        self._samples = Gauge(
            "modelserve_drift_window_samples",
            "Texts or images in the last window.",
            _WHOSE,
            registry=registry,
        )
        self._known: dict[tuple[str, ...], tuple[float, set[tuple[str, ...]]]] = {}

    def tell(self, verdict: Verdict) -> None:
        """The last verdict on a source is this one."""
        component = verdict.source.component
        service = (component.namespace, component.service)
        self.forget(before=verdict.closed - self._seconds, service=service)
        whose = (*service, verdict.source.revision, verdict.baseline)
        told = self._known[whose][1] if whose in self._known else set()
        self._samples.labels(*whose).set(verdict.samples)
        self._detected.labels(*whose).set(verdict.alarm)
        # Without a verdict the last figures stand.
        now = told if verdict.outcome is Outcome.NO_VERDICT else set()
        for found in verdict.features:
            labels = (*whose, found.feature, found.detector)
            now.add(labels)
            self._statistic.labels(*labels).set(found.statistic)
            self._p_value.labels(*labels).set(found.corrected_p_value)
            self._effect.labels(*labels).set(found.effect)
        for gone in told - now:
            self._remove(gone)
        self._known[whose] = (verdict.closed, now)

    def forget(self, *, before: float, service: tuple[str, str] | None = None) -> None:
        """Take out revisions whose last verdict is older.

        Args:
            before: seconds since 1970.
            service: namespace and name of the one whose revisions are meant; None for all services.
        """
        gone = [
            whose
            for whose, (closed, _) in self._known.items()
            if service in (None, whose[:2]) and closed < before
        ]
        for whose in gone:
            for labels in self._known.pop(whose)[1]:
                self._remove(labels)
            self._detected.remove(*whose)
            self._samples.remove(*whose)

    def _remove(self, labels: tuple[str, ...]) -> None:
        for gauge in (self._statistic, self._p_value, self._effect):
            gauge.remove(*labels)
