"""A shadow's Prometheus metrics, by the model and the revision that answered the replayed calls."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from modelserve.shadow.bounds import Bounds

_LABELS = ("model", "revision")


class ShadowMetrics:
    """The metrics of one comparison.

    The gauges are of the comparison as a whole, under the revision that answered last: a series of one that
    answers no more would stand still and look alive.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._compared = Counter(
            "modelserve_shadow_compared_total",
            "Logged calls by what became of them: agreed, disagreed, or why they were not compared.",
            (*_LABELS, "outcome"),
            registry=registry,
        )
        self._ratio, self._lower, self._upper = (
            Gauge(f"modelserve_shadow_disagreement_{name}", text, _LABELS, registry=registry)
            for name, text in (
                ("ratio", "Mean share of a call's texts or images on which the two answers differ."),
                ("lower", "Lower bound of the disagreement ratio, which holds at all times."),
                ("upper", "Upper bound of the disagreement ratio, which holds at all times."),
            )
        )
        self._shown: tuple[str, str] | None = None

    def counted(self, model: str, revision: str, outcome: str) -> None:
        """Count a call."""
        self._compared.labels(model, revision, outcome).inc()

    def estimated(self, model: str, revision: str, disagreement: Bounds) -> None:
        """Show what is known of the disagreement."""
        gauges = (self._ratio, self._lower, self._upper)
        if self._shown not in (None, (model, revision)):
            for gauge in gauges:
                gauge.clear()
        self._shown = (model, revision)
        values = (disagreement.estimate, disagreement.lower, disagreement.upper)
        for gauge, value in zip(gauges, values, strict=True):
            gauge.labels(model, revision).set(value)
