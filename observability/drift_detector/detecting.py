"""The detector put together: a sink whose consumer is the monitor, and what it tells."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry

from drift_detector.consumer import MonitorConsumer
from drift_detector.pages import Pages
from drift_detector.settings import DetectorSettings
from modelserve.drift.assessing import Assessor
from modelserve.drift.baselines import References
from modelserve.drift.judging import Alarms
from modelserve.drift.metrics import DriftMetrics
from modelserve.drift.monitor import Monitor, MonitorOptions
from modelserve.drift.notices import Notifier
from modelserve.drift.peers import Peers
from modelserve.drift.references import Reference
from modelserve.drift.store import Store
from modelserve.drift.verdicts import Verdict
from modelserve.events.sink import Sink, SinkLimits, SinkMetrics, run_sink

logger = logging.getLogger(__name__)

ORIGIN = "/modelserve/drift-detector"
"""The source of its events."""

_MOST_REMEMBERED = 1000


def detect(settings: DetectorSettings, references: Sequence[Reference]) -> None:
    """Take events until a signal.

    Args:
        settings: of the detector.
        references: to take into the store.

    Raises:
        StoreError: the store cannot be used.
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
    notifier = Notifier(store, settings.notify_url, origin=ORIGIN) if settings.notify_url else None

    def tell(verdict: Verdict) -> None:
        metrics.tell(verdict)
        if verdict.alarm:
            logger.warning(
                "%s of %s has drifted from %s",
                verdict.source.revision,
                verdict.source.component.service,
                verdict.baseline,
            )
            if notifier is not None:
                notifier.wake()

    alarms = settings.alarms()
    for verdict in (stored.verdict for stored in store.verdicts(last=_MOST_REMEMBERED)):
        metrics.tell(verdict)
        alarms.add(verdict.source, verdict.baseline, verdict.outcome)
    monitor = _make_monitor(settings, store, known, alarms, tell)
    pages = Pages(store, known, alpha=settings.alpha)
    sink = Sink(
        MonitorConsumer(monitor, sink_metrics.count),
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
        store.close()


def _make_monitor(
    settings: DetectorSettings,
    store: Store,
    references: References,
    alarms: Alarms,
    tell: Callable[[Verdict], None],
) -> Monitor:
    peers = Peers(
        seconds=settings.window_seconds, windows=store.last_windows(), first_seen=store.first_seen()
    )
    assessor = Assessor(settings.judge(), references, peers, alarms, most_inputs=settings.keep_inputs)
    options = MonitorOptions(
        window_samples=settings.window_samples,
        window_seconds=settings.window_seconds,
        join_seconds=settings.join_seconds,
        flush_seconds=settings.flush_seconds,
        keep_seconds=settings.keep_days * 24 * 3600,
        shown=settings.keep_inputs > 0,
    )
    return Monitor(store, references, assessor, options, tell=tell)


def _announce(port: int) -> None:
    logger.info("ready: events by POST on port %d, and there /report, /verdicts and /metrics", port)
