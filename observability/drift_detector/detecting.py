"""The detector put together: a sink whose consumer is the monitor, and what it tells."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry

from drift_detector.alibi.online_mmd import OnlineMaximumMeanDiscrepancy
from drift_detector.consumer import MonitorConsumer
from drift_detector.following import Follower
from drift_detector.pages import Pages
from drift_detector.settings import DetectorSettings
from modelserve.drift.assessing import Assessor
from modelserve.drift.baselines import References
from modelserve.drift.metrics import DriftMetrics
from modelserve.drift.monitor import Monitor, MonitorOptions, local_monitor
from modelserve.drift.notices import DriftOutbox
from modelserve.drift.references import Reference
from modelserve.drift.shared.monitor import shared_monitor
from modelserve.drift.shared.redis import SharedRedis
from modelserve.drift.store import Store
from modelserve.drift.streams import Streams
from modelserve.drift.verdicts import Verdict
from modelserve.events.notifier import Notifier
from modelserve.events.sink import Sink, SinkLimits, SinkMetrics, run_sink

logger = logging.getLogger(__name__)

ORIGIN = "/modelserve/drift-detector"
"""The source of its events."""


def detect(settings: DetectorSettings, references: Sequence[Reference]) -> None:
    """Take events until a signal.

    Args:
        settings: of the detector.
        references: to take into the store.

    Raises:
        StoreError: the store or the shared state cannot be used.
        StartError: the port is taken.
    """
    limits = SinkLimits(
        max_event_bytes=settings.max_event_bytes,
        queue_messages=settings.queue_messages,
        queue_bytes=settings.queue_bytes,
        grace_seconds=settings.grace_seconds,
    )
    store = Store(settings.store)
    for reference in references:
        store.add_reference(reference)
    known = References(store.latest_references())
    registry = CollectorRegistry()
    sink_metrics = SinkMetrics("modelserve_drift", registry)
    metrics = DriftMetrics(registry, seconds=settings.window_seconds)
    outbox = DriftOutbox(store, origin=ORIGIN)
    notifier = Notifier(outbox, settings.notify_url) if settings.notify_url else None

    def tell(verdict: Verdict) -> None:
        if verdict.alarm:
            logger.warning(
                "%s of %s has drifted from %s",
                verdict.source.revision,
                verdict.source.component.service,
                verdict.baseline,
            )
            if notifier is not None:
                notifier.wake()

    redis = SharedRedis(settings.shared_url) if settings.shared_url else None
    making = ThreadPoolExecutor(1, thread_name_prefix="thresholds")
    streams = None
    if run_time := settings.online_run_time:
        streams = Streams(OnlineMaximumMeanDiscrepancy, known, run_time=run_time, making=making)
    monitor = _make_monitor(settings, store, redis, known, streams=streams, tell=tell)
    follower = Follower(store, known, metrics, keep_seconds=settings.keep_days * 24 * 3600)
    pages = Pages(store, known, alpha=settings.alpha)
    sink = Sink(
        MonitorConsumer(monitor, sink_metrics.count, follower.follow),
        sink_metrics,
        limits,
        pages={
            ("GET", "/report"): pages.report,
            ("GET", "/verdicts"): pages.verdicts,
            ("PUT", "/references"): pages.add_reference,
        },
    )
    try:
        run_sink(sink, host=settings.host, port=settings.http_port, on_ready=_announce)
    finally:
        if notifier is not None:
            notifier.close()
        if redis is not None:
            redis.close()
        making.shutdown(wait=False, cancel_futures=True)
        store.close()


def _make_monitor(
    settings: DetectorSettings,
    store: Store,
    redis: SharedRedis | None,
    references: References,
    *,
    streams: Streams | None,
    tell: Callable[[Verdict], None],
) -> Monitor:
    assessor = Assessor.of(settings, references, store, most_inputs=settings.keep_inputs)
    options = MonitorOptions(
        window_samples=settings.window_samples,
        window_seconds=settings.window_seconds,
        join_seconds=settings.join_seconds,
        flush_seconds=settings.flush_seconds,
        shown=settings.keep_inputs > 0,
    )
    if redis is None:
        return local_monitor(store, references, assessor, options, tell=tell, streams=streams)
    return shared_monitor(redis, store, references, assessor, options, tell=tell)


def _announce(port: int) -> None:
    logger.info("ready: events by POST on port %d, and there /report, /verdicts and /metrics", port)
