"""The pipeline server as a process: the REST API, and where there is no queue also the work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from modelserve.concurrency import end_all, set_on_signals
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.queueing import LocalQueue, Queue
from modelserve.pipelines.queueing.broker import WakeupBroker
from modelserve.pipelines.queueing.redis import RedisQueue
from modelserve.pipelines.running.reaching import ON_ONE_MACHINE
from modelserve.pipelines.serving.app import build_app
from modelserve.pipelines.serving.backlog import Backlog
from modelserve.pipelines.serving.runs import Runs
from modelserve.pipelines.store import RunStore
from modelserve.pipelines.working.doing import do_runs
from modelserve.pipelines.working.threads import StoreThreads
from modelserve.pipelines.working.waking import wake_late
from modelserve.server.connection import HttpConnection
from modelserve.server.http_server import HttpServer, http_config
from modelserve.server.workers import listen
from modelserve.settings import current_revision
from modelserve.telemetry import configure_tracing

_FLUSH_SECONDS = 2.0
_GRACE_SECONDS = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How a server is run.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        store_url: of the runs.
        queue_url: of Redis, from which workers take the runs; None where this process does them.
        concurrency: the most runs at a time, where this process does them.
        keep_seconds: how long it keeps runs that have ended.
        most_unfinished: with so many runs that have not ended, no further one is taken.
        wait_seconds: how long a run is waited for where the caller does not say.
        max_body_bytes: the largest body of a request.
    """

    host: str
    port: int
    store_url: str
    queue_url: str | None
    concurrency: int
    keep_seconds: float
    most_unfinished: int
    wait_seconds: float
    max_body_bytes: int


async def serve(
    pipelines: Mapping[str, Pipeline], settings: ServeSettings, *, on_ready: Callable[[int], None]
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        pipelines: by their names.
        settings: how.
        on_ready: called with the port once runs are taken.

    Raises:
        StoreError: the store cannot be opened.
        StartError: the port cannot be listened on.
    """
    stopping = asyncio.Event()
    set_on_signals(stopping)
    registry = CollectorRegistry()
    tracing = configure_tracing(service_name="modelserve-pipeline-server", revision=current_revision())
    async with AsyncExitStack() as stack:
        stack.callback(tracing.shutdown, timeout_seconds=_FLUSH_SECONDS)
        store = await asyncio.to_thread(RunStore, settings.store_url)
        stack.callback(store.close)
        registry.register(Backlog(store, settings.most_unfinished))
        threads = StoreThreads(store)
        stack.callback(threads.close)
        queue = _queue(settings)
        stack.push_async_callback(queue.close)
        runs = Runs(pipelines, threads, queue, most_unfinished=settings.most_unfinished)
        app = build_app(
            runs,
            registry,
            max_body_bytes=settings.max_body_bytes,
            usual_wait_seconds=settings.wait_seconds,
        )
        listener = listen(settings.host, settings.port)
        server = HttpServer(http_config(app, protocol=HttpConnection, grace_seconds=_GRACE_SECONDS))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        on_ready(listener.getsockname()[1])
        try:
            if settings.queue_url is not None:
                waking = asyncio.create_task(wake_late(threads, queue))
                await stopping.wait()
                await end_all([waking])
            else:
                await do_runs(
                    threads,
                    queue,
                    stopping,
                    registry=registry,
                    tracing=tracing,
                    ways=ON_ONE_MACHINE,
                    concurrency=settings.concurrency,
                    lease_seconds=30.0,
                    keep_seconds=settings.keep_seconds,
                )
        finally:
            server.should_exit = True
            await serving
        logger.info("stopped")


def _queue(settings: ServeSettings) -> Queue:
    return LocalQueue() if settings.queue_url is None else RedisQueue(WakeupBroker(settings.queue_url))
