"""The server's Prometheus metrics, by model and revision.

KServe's own histograms know neither the revision nor failures, so they are not used.

With ``PROMETHEUS_MULTIPROC_DIR`` set, every worker process writes to files in that directory and
whichever worker is scraped answers for all; the process's own memory and descriptors are not told
then, nor exemplars. The variable has to be there before ``prometheus_client`` is imported.
``forget_workers`` and ``forget_worker`` are for the process that starts the workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from modelserve.telemetry.buckets import SCORES, SECONDS

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
MAX_LABELS = 100  # of predictions, for each model; ImageNet's thousand would be a thousand series
OTHER_LABEL = "other"

_BYTES = tuple(float(4**power) for power in range(3, 14))  # 64 B to 64 MiB
_ITEMS = tuple(float(2**power) for power in range(9))  # 1 to 256

MetricT = TypeVar("MetricT", bound=MetricWrapperBase)


class _Family(dict[tuple[str, ...], MetricT], Generic[MetricT]):
    """A metric's children by their labels after the revision; prometheus_client's lookup is slow."""

    def __init__(self, metric: MetricT, revision: str) -> None:
        super().__init__()
        self._metric = metric
        self._revision = revision

    def __missing__(self, labels: tuple[str, ...]) -> MetricT:
        model, *rest = labels
        child = self[labels] = self._metric.labels(model, self._revision, *rest)
        return child


class Metrics:
    """The metrics of one server process. Every method may be called on any thread.

    ``outcome`` is ``ok``, the name of the request error (``invalid_input``, ``overloaded`` and so
    on), or ``internal`` for a fault of the server. Calls to unknown models are counted under an
    empty model name, so that a caller cannot make new series.

    Args:
        revision: the label of every series.
        queue_depth: tells how many calls wait, whenever the metrics are read.
    """

    def __init__(self, revision: str, *, queue_depth: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._revision = revision
        self._several = DIRECTORY_VARIABLE in os.environ
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = self._counter(
            "requests_total",
            "Inference calls that were answered, refusals included.",
            "protocol",
            "outcome",
        )
        self._seconds = self._histogram(
            "request_seconds", "Time from a whole request to its encoded answer.", SECONDS, "protocol"
        )
        self._input_bytes = self._histogram(
            "input_bytes", "Size of an inference call's body, unpacked.", _BYTES, "protocol"
        )
        self._queue_seconds = self._histogram(
            "queue_seconds", "Time that a call waited for the engine.", SECONDS
        )
        self._engine_seconds = self._histogram(
            "engine_seconds", "Time that the engine took for a batch.", SECONDS
        )
        self._batch_size = self._histogram(
            "batch_size", "Texts or images that the engine took at once.", _ITEMS
        )
        self._cache = self._counter("cache_hits_total", "Look-ups in the cache of answers.", "outcome")
        self._confidence = self._histogram(
            "prediction_confidence", "Scores of the entities and of the best labels.", SCORES
        )
        self._predictions = self._counter(
            "predictions_total", "Entities by type and images by their best label.", "label"
        )
        self._labels: dict[str, set[str]] = {}
        # A model is loaded when all workers have it: a call may reach any of them.
        self._loaded = _Family(
            Gauge(
                "modelserve_model_loaded",
                "1 while the model takes calls, else 0.",
                ("model", "revision"),
                registry=self.registry,
                multiprocess_mode="livemin",
            ),
            revision,
        )
        self._queue_depth = queue_depth
        self._depth = Gauge(
            "modelserve_queue_depth",
            "Calls that wait for the engine.",
            ("revision",),
            registry=self.registry,
            multiprocess_mode="livesum",
        ).labels(revision)
        if not self._several:
            self._depth.set_function(queue_depth)

    def _counter(self, name: str, text: str, *labels: str) -> _Family[Counter]:
        names = ("model", "revision", *labels)
        return _Family(Counter(f"modelserve_{name}", text, names, registry=self.registry), self._revision)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> _Family[Histogram]:
        names = ("model", "revision", *labels)
        metric = Histogram(f"modelserve_{name}", text, names, buckets=buckets, registry=self.registry)
        return _Family(metric, self._revision)

    def answered(
        self, *, model: str, protocol: str, outcome: str, seconds: float, size: int | None, trace_id: str = ""
    ) -> None:
        """Count one call.

        Args:
            model: its name, or empty for one that is unknown.
            protocol: ``v1``, ``v2`` or ``grpc``.
            outcome: see the class.
            seconds: from the whole request to its encoded answer.
            size: bytes of its body; None where it was refused unread.
            trace_id: of a call whose spans are kept: OpenMetrics shows it as an exemplar of its duration.
        """
        self._requests[model, protocol, outcome].inc()
        exemplar = {"trace_id": trace_id} if trace_id else None
        self._seconds[model, protocol].observe(seconds, exemplar)
        if size is not None:
            self._input_bytes[model, protocol].observe(size)

    def queued(self, *, model: str, seconds: float) -> None:
        """Note how long a call waited for the engine."""
        self._queue_seconds[model,].observe(seconds)

    def queue_changed(self) -> None:
        """Publish how many calls wait: one of several workers calls it when the number changed."""
        if self._several:
            self._depth.set(self._queue_depth())

    def computed(self, *, model: str, seconds: float, batch_size: int) -> None:
        """Note one batch: the engine's seconds, and how many texts or images it held."""
        self._engine_seconds[model,].observe(seconds)
        self._batch_size[model,].observe(batch_size)

    def looked_up(self, *, model: str, is_hit: bool) -> None:
        """Count a look-up in the cache."""
        self._cache[model, "hit" if is_hit else "miss"].inc()

    def predicted(self, *, model: str, labels: Sequence[str], scores: Sequence[float]) -> None:
        """Count what a model said.

        Args:
            model: its name.
            labels: types of entities or best labels. The first ``MAX_LABELS`` that a process sees
                are series of their own, and the rest are ``other``.
            scores: of them, 0 to 1.
        """
        known = self._labels.setdefault(model, set())
        for label in labels:
            if label not in known and len(known) < MAX_LABELS:
                known.add(label)
            self._predictions[model, label if label in known else OTHER_LABEL].inc()
        confidence = self._confidence[model,]
        for score in scores:
            confidence.observe(score)

    def loaded(self, *, model: str, is_loaded: bool) -> None:
        """Note whether a model takes calls."""
        self._loaded[model,].set(int(is_loaded))

    def expose(self, accept_header: str) -> tuple[bytes, str]:
        """Everything as text, of all workers where there are several.

        With several workers it reads their files, so it belongs on a thread.

        Args:
            accept_header: of the request; it may ask for OpenMetrics.

        Returns:
            The body, and its content type.
        """
        registry = self.registry
        if self._several:
            self.queue_changed()
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        encode, content_type = choose_encoder(accept_header)
        return encode(registry), content_type


def forget_workers(directory: Path) -> None:
    """Make the directory for workers' metrics, without what a run before left; before they start."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in directory.glob("*.db"):
        file.unlink()


def forget_worker(pid: int) -> None:
    """Leave a worker that ended out of the gauges; what it counted stays counted."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]
