"""From models and settings to a running server, and back down without losing a call."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from modelserve.cache import ResponseCache
from modelserve.cache.opening import open_cache
from modelserve.errors import Unavailable
from modelserve.server.dataplane import DataPlane
from modelserve.server.front import Front
from modelserve.server.gate import gate_of, gated
from modelserve.server.grpc import build_server
from modelserve.server.http_server import HttpServer, http_config
from modelserve.server.rest import build_app
from modelserve.server.workers import Inherited, StartError, listen
from modelserve.serving import ServedModel
from modelserve.settings import EngineSettings, ServerSettings

if TYPE_CHECKING:
    from modelserve.server.mirror import Mirror

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ports:
    """The ports that the server listens on."""

    http: int
    grpc: int


def rest_config(
    plane: DataPlane, *, max_body_bytes: int, grace_seconds: int, mirror: Mirror | None = None
) -> uvicorn.Config:
    """The REST server over a data plane, but for its socket.

    Args:
        plane: what it serves.
        max_body_bytes: the largest body of a request, unpacked.
        grace_seconds: for calls in progress, when it ends.
        mirror: of the calls, or None.
    """
    front = Front(build_app(plane, max_body_bytes=max_body_bytes), plane, max_body_bytes=max_body_bytes)
    return http_config(
        front if mirror is None else mirror.around(front),
        protocol=gated(gate_of(plane)),
        grace_seconds=grace_seconds,
    )


async def serve(
    models: Sequence[ServedModel],
    settings: ServerSettings,
    on_ready: Callable[[Ports], None],
    worker: Inherited | None = None,
    mirror: Mirror | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    The ports are open while the models load, so that a probe is told "not ready" and not refused.
    After SIGTERM readiness falls; for ``drain_seconds`` calls are still taken, as proxies need a moment
    to notice. Then no new connection and no new call is taken, and calls in progress are answered
    within ``grace_seconds``. SIGINT, a person at a keyboard, skips the moment.

    Args:
        models: models that are not loaded yet.
        settings: ports, limits and times.
        on_ready: called once, when every model takes calls.
        worker: what this process has from its parent, where it is one of several.
        mirror: of the calls, not started yet, or None.

    Raises:
        StartError: a port is taken, a model's folder cannot be served, or the cache's URL is none.
    """
    plane = DataPlane(
        models, revision=settings.revision, cache=_open_cache(settings), is_one_of_several=worker is not None
    )
    listener = worker.listener if worker else listen(settings.host, settings.http_port)
    grpc_server = build_server(plane, max_body_bytes=settings.max_body_bytes, shares_port=worker is not None)
    wanted = worker.grpc_port if worker else settings.grpc_port
    try:
        grpc_port = grpc_server.add_insecure_port(f"{settings.host}:{wanted}")
    except RuntimeError as error:
        listener.close()
        raise StartError(f"port {settings.grpc_port} for gRPC cannot be opened: is it taken?") from error
    rest_server = HttpServer(
        rest_config(
            plane,
            max_body_bytes=settings.max_body_bytes,
            grace_seconds=settings.grace_seconds,
            mirror=mirror,
        )
    )
    if mirror is not None:
        mirror.start(plane.metrics.registry, revision=settings.revision)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    drain_seconds = settings.drain_seconds

    def stop(*, at_once: bool) -> None:
        nonlocal drain_seconds
        if at_once:
            drain_seconds = 0.0
        stopping.set()
        for model in models:
            model.give_up_loading()

    loop.add_signal_handler(signal.SIGTERM, lambda: stop(at_once=False))
    loop.add_signal_handler(signal.SIGINT, lambda: stop(at_once=True))
    await grpc_server.start()
    rest = asyncio.create_task(rest_server.serve(sockets=[listener]))
    try:
        if await _load(plane, stopping):
            on_ready(Ports(http=listener.getsockname()[1], grpc=grpc_port))
            await stopping.wait()
    finally:
        logger.info("stopping: calls in progress have %d s to end", settings.grace_seconds)
        plane.leaving = True
        await asyncio.sleep(drain_seconds)
        plane.draining = True
        rest_server.should_exit = True
        await asyncio.gather(rest, grpc_server.stop(settings.grace_seconds))
        if mirror is not None:
            await asyncio.to_thread(mirror.close)
        await plane.close()


def _open_cache(settings: ServerSettings) -> ResponseCache | None:
    if not isinstance(settings, EngineSettings) or settings.cache_url is None:
        return None
    try:
        return open_cache(
            settings.cache_url, max_bytes=settings.cache_max_bytes, ttl_seconds=settings.cache_ttl_seconds
        )
    except ValueError as error:
        raise StartError(f"--cache_url: {error}") from error


async def _load(plane: DataPlane, stopping: asyncio.Event) -> bool:
    """Load every model; False if the server was told to stop meanwhile."""
    for name in plane.names:
        try:
            await plane.load(name)
        except Unavailable as error:
            raise StartError(str(error)) from error
        if stopping.is_set():
            return False
    return True
