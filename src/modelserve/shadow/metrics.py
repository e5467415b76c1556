"""A shadow's Prometheus metrics, by the model and the revision that answered the replayed calls."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

from modelserve.shadow.bounds import Bounds
from modelserve.shadow.results import OTHER, Results

_LABELS = ("model", "revision")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_MOST_SERIES = 20
"""Models and revisions, as answers name them; those beyond the first few are one."""


class ShadowMetrics:
    """The metrics of one comparison.

    The gauges are of the comparison as a whole, under the revision that answered last: a series of one that
    answers no more would stand still and look alive.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._compared = Counter(
            "modelserve_shadow_compared_total",
            "Logged calls by what became of them: agreed, disagreed, or why they were not compared.",
            (*_LABELS, "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "modelserve_shadow_answer_seconds",
            "Time to the logged answer, by the agent's clock, and to the new one of the same calls.",
            (*_LABELS, "answer"),
            buckets=_SECONDS,
            registry=registry,
        )
        # Counts and sums add up over processes, and say of whom: a judge of its own can go by them.
        self._shares = Summary(
            "modelserve_shadow_call_disagreement",
            "Share of a call's texts or images on which the two answers differ, by who gave the logged one.",
            (*_LABELS, "logged_revision"),
            registry=registry,
        )
        self._disagreement = self._gauges(
            "disagreement",
            "Mean share of a call's texts or images on which the two answers differ",
            estimate="disagreement_ratio",
            holds="at all times",
        )
        self._f1 = self._gauges("entity_f1", "F1 of the new answers' entities against the logged ones'")
        self._distance = self._gauges(
            "score_distance", "Mean over calls of the mean absolute difference of scores"
        )
        self._known: set[tuple[str, str]] = set()
        self._logged: set[str] = set()
        self._shown: tuple[str, str] | None = None

    def counted(self, model: str, revision: str, outcome: str) -> None:
        """Count a call."""
        self._compared.labels(*self._labels(model, revision), outcome).inc()

    def compared(self, model: str, revision: str, *, logged_revision: str, share: float) -> None:
        """Take a call with both answers; the share of its texts or images that differ is from 0 to 1."""
        if len(self._logged) < _MOST_SERIES:
            self._logged.add(logged_revision)
        logged = logged_revision if logged_revision in self._logged else OTHER
        self._shares.labels(*self._labels(model, revision), logged).observe(share)

    def answered(self, model: str, revision: str, *, logged_seconds: float, replayed_seconds: float) -> None:
        """Take the latencies of a call with both answers."""
        labels = self._labels(model, revision)
        # By clocks of several machines an answer may be older than its request.
        self._seconds.labels(*labels, "logged").observe(max(0.0, logged_seconds))
        self._seconds.labels(*labels, "replayed").observe(replayed_seconds)

    def estimated(self, model: str, revision: str, results: Results) -> None:
        """Show what is known by now."""
        labels = self._labels(model, revision)
        if self._shown not in (None, labels):
            for gauge in (*self._disagreement, *self._f1, *self._distance):
                gauge.clear()
        self._shown = labels
        confidence = results.criteria.confidence
        _show(self._disagreement, labels, results.disagreement.bounds())
        _show(self._f1, labels, results.f1.bounds(confidence))
        _show(self._distance, labels, results.score_distance.bounds(confidence))

    def _gauges(
        self, name: str, text: str, *, estimate: str | None = None, holds: str = "for one look"
    ) -> tuple[Gauge, Gauge, Gauge]:
        """Of an estimate and its two bounds."""
        return (
            self._gauge(estimate or name, f"{text}."),
            self._gauge(f"{name}_lower", f"{text}: the lower bound, which holds {holds}."),
            self._gauge(f"{name}_upper", f"{text}: the upper bound, which holds {holds}."),
        )

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"modelserve_shadow_{name}", text, _LABELS, registry=self._registry)

    def _labels(self, model: str, revision: str) -> tuple[str, str]:
        labels = (model, revision)
        if labels not in self._known and len(self._known) >= _MOST_SERIES:
            return OTHER, OTHER
        self._known.add(labels)
        return labels


def _show(gauges: tuple[Gauge, Gauge, Gauge], labels: tuple[str, str], bounds: Bounds | None) -> None:
    if bounds is not None:
        for gauge, value in zip(gauges, (bounds.estimate, bounds.lower, bounds.upper), strict=True):
            gauge.labels(*labels).set(value)
