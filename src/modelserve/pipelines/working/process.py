"""A worker as a process of its own: it shares the store and the queue with the service, and with others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, start_http_server

from modelserve.concurrency import set_on_signals
from modelserve.errors import ModelServeError
from modelserve.pipelines.queueing.broker import WakeupBroker
from modelserve.pipelines.queueing.redis import RedisQueue
from modelserve.pipelines.running.reaching import ON_A_CLUSTER
from modelserve.pipelines.store import RunStore
from modelserve.pipelines.working.doing import do_runs
from modelserve.pipelines.working.threads import StoreThreads
from modelserve.settings import current_revision
from modelserve.telemetry import configure_tracing

_FLUSH_SECONDS = 2.0

logger = logging.getLogger(__name__)


class PortTaken(ModelServeError):
    """Metrics cannot be served there."""


@dataclass(frozen=True, slots=True)
class WorkSettings:
    """How a worker is run.

    Attributes:
        store_url: of the runs.
        queue_url: of Redis.
        concurrency: the most runs at a time.
        lease_seconds: after which a run is another's, unless this process renews it.
        keep_seconds: how long runs that have ended are kept.
        metrics_port: of Prometheus metrics; None for none, 0 takes a free one.
    """

    store_url: str
    queue_url: str
    concurrency: int
    lease_seconds: float
    keep_seconds: float
    metrics_port: int | None


async def work(settings: WorkSettings, *, on_ready: Callable[[int | None], None]) -> None:
    """Do runs until SIGTERM or SIGINT.

    Args:
        settings: how.
        on_ready: called with the port of the metrics once runs are taken.

    Raises:
        StoreError: the store cannot be opened.
        PortTaken: metrics cannot be served.
    """
    stopping = asyncio.Event()
    set_on_signals(stopping)
    registry = CollectorRegistry()
    tracing = configure_tracing(service_name="modelserve-pipeline-worker", revision=current_revision())
    async with AsyncExitStack() as stack:
        stack.callback(tracing.shutdown, timeout_seconds=_FLUSH_SECONDS)
        store = await asyncio.to_thread(RunStore, settings.store_url)
        stack.callback(store.close)
        threads = StoreThreads(store)
        stack.callback(threads.close)
        port = _serve_metrics(stack, settings.metrics_port, registry)
        queue = RedisQueue(WakeupBroker(settings.queue_url))
        stack.push_async_callback(queue.close)
        on_ready(port)
        await do_runs(
            threads,
            queue,
            stopping,
            registry=registry,
            tracing=tracing,
            ways=ON_A_CLUSTER,
            concurrency=settings.concurrency,
            lease_seconds=settings.lease_seconds,
            keep_seconds=settings.keep_seconds,
        )
        logger.info("stopped")


def _serve_metrics(stack: AsyncExitStack, port: int | None, registry: CollectorRegistry) -> int | None:
    if port is None:
        return None
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as error:
        raise PortTaken(f"port {port} cannot be listened on ({error}); a free one is accepted") from error
    stack.callback(thread.join)
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    return int(server.server_port)
