"""The server's Prometheus metrics, by model and revision.

KServe's own histograms know neither the revision nor failures, so they are not used.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BYTES = tuple(float(4**power) for power in range(3, 14))  # 64 B to 64 MiB


class Metrics:
    """The metrics of one server process.

    ``outcome`` is ``ok``, the name of the request error (``invalid_input``, ``overloaded`` and so
    on), or ``internal`` for a fault of the server. Calls to unknown models are counted under an
    empty model name, so that a caller cannot make new series.

    Args:
        revision: the label of every series.
        queue_depth: tells how many calls wait, whenever the metrics are read.
    """

    def __init__(self, revision: str, *, queue_depth: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._revision = revision
        self._requests = Counter(
            "modelserve_requests_total",
            "Inference calls that were answered, refusals included.",
            ("model", "revision", "protocol", "outcome"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "modelserve_request_seconds",
            "Time from a whole request to its encoded answer.",
            ("model", "revision", "protocol"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._input_bytes = Histogram(
            "modelserve_input_bytes",
            "Size of an inference call's body, unpacked.",
            ("model", "revision", "protocol"),
            buckets=_BYTES,
            registry=self.registry,
        )
        self._loaded = Gauge(
            "modelserve_model_loaded",
            "1 while the model takes calls, else 0.",
            ("model", "revision"),
            registry=self.registry,
        )
        depth = Gauge(
            "modelserve_queue_depth",
            "Calls that wait for the engine.",
            ("revision",),
            registry=self.registry,
        )
        depth.labels(revision).set_function(queue_depth)

    def answered(self, *, model: str, protocol: str, outcome: str, seconds: float, size: int) -> None:
        """Count one call: its duration in seconds and its body's size in bytes."""
        self._requests.labels(model, self._revision, protocol, outcome).inc()
        self._seconds.labels(model, self._revision, protocol).observe(seconds)
        self._input_bytes.labels(model, self._revision, protocol).observe(size)

    def loaded(self, *, model: str, is_loaded: bool) -> None:
        """Note whether a model takes calls."""
        self._loaded.labels(model, self._revision).set(int(is_loaded))
