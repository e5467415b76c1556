"""A live shadow behind a sink, as KServe's request log reaches it, and the pages that tell of it."""

from __future__ import annotations

import logging
from datetime import datetime, timezone

import orjson
from prometheus_client import CollectorRegistry

from modelserve.events import Component, Joiner
from modelserve.events.sink import Answer, Sink, SinkLimits, SinkMetrics, run_sink
from modelserve.shadow.comparison import Shadow
from modelserve.shadow.consumer import ShadowConsumer
from modelserve.shadow.curves import Curves
from modelserve.shadow.live import LiveShadow
from modelserve.shadow.report import render
from modelserve.shadow.results import Results
from modelserve.shadow.summary import Summary, summarise

logger = logging.getLogger(__name__)

_GRACE_SECONDS, _CLOSE_SECONDS = 10.0, 5.0
"""After SIGTERM, for what waits to be joined and begun, and then for the calls in progress."""

_WAITING_BYTES = 64 * 1024 * 1024
"""Of halves without their other half."""

_LIMITS = SinkLimits(
    queue_messages=10_000, queue_bytes=128 * 1024 * 1024, connections=256, grace_seconds=_GRACE_SECONDS
)


class Listener:
    """Compares mirrored calls until a signal.

    Args:
        shadow: compares them; it does not wait for the rate.
        results: where it counts.
        component: whose calls they are.
        target: the URL of the server that they are replayed to.
        at_once: the most calls in progress.
        registry: what ``/metrics`` shows.
    """

    def __init__(
        self,
        shadow: Shadow,
        results: Results,
        component: Component,
        *,
        target: str,
        at_once: int,
        registry: CollectorRegistry,
    ) -> None:
        self._results, self._component, self._target = results, component, target
        self._joiner = Joiner(most_bytes=_WAITING_BYTES)
        self._metrics = SinkMetrics("modelserve_shadow", registry)
        self._live = LiveShadow(shadow, at_once=at_once)
        self._consumer = ShadowConsumer(self._live, component, self._joiner, self._metrics.count)

    def run(self, host: str, port: int) -> None:
        """Take events until SIGTERM or SIGINT, and end with the calls that are in progress.

        Args:
            host: address to listen on.
            port: likewise; 0 takes a free one.

        Raises:
            StartError: the port is taken, or the address is not there.
        """
        pages = {("GET", "/report"): self._show_report, ("GET", "/results"): self._show_results}
        try:
            sink = Sink(self._consumer, self._metrics, _LIMITS, pages=pages)
            run_sink(sink, host=host, port=port, on_ready=_announce)
        finally:
            self._live.close(timeout_seconds=_CLOSE_SECONDS)

    def summary(self) -> Summary:
        """What was found by now; on the shadow's thread, or on any once it has run."""
        events = self._metrics.outcomes()
        if waiting := len(self._joiner):
            events["waiting"] = waiting
        return summarise(
            self._results,
            component=self._component,
            events=events,
            target=self._target,
            written=datetime.now(timezone.utc),
        )

    def _show_report(self, _: bytes) -> Answer:
        summary, curves = self._live.ask(lambda: (self.summary(), Curves.of(self._results)))
        return Answer(200, render(summary, curves).encode(), "text/html; charset=utf-8")

    def _show_results(self, _: bytes) -> Answer:
        return Answer(200, orjson.dumps(self._live.ask(self.summary).as_json()))


def _announce(port: int) -> None:
    logger.info("ready: events by POST on port %d, and there /report, /results and /metrics", port)
