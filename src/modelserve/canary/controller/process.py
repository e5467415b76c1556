"""The controller as a process: it answers at once, and leads when it is its turn."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from modelserve.canary.controller.admitting import Admitting, WebhookSettings
from modelserve.canary.controller.cluster import Cluster
from modelserve.canary.controller.controlling import Controller
from modelserve.canary.controller.leading import Election
from modelserve.canary.controller.ledger import Ledger
from modelserve.canary.controller.metrics import CanaryMetrics
from modelserve.canary.controller.pages import Pages, serve_pages
from modelserve.canary.controller.places import ClusterPlaces
from modelserve.canary.controller.reconciling import Reconciler
from modelserve.canary.controller.trial import Books
from modelserve.canary.journal import Journal
from modelserve.canary.journal.notices import CanaryOutbox
from modelserve.canary.rollout.objects import connect, own_namespace
from modelserve.database import StoreError
from modelserve.events.notifier import Notifier

_ORIGIN = "modelserve/canary-controller"
_HANGING_SECONDS = 120.0
_FORGET_SECONDS = 3600.0
_LAST_SECONDS = 20.0
"""For what is being done when it ends; what is not done then another does."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a controller is run.

    Attributes:
        store: URL of the journal's database.
        host: address to listen on.
        port: of metrics and pages; 0 takes a free one.
        namespace: in which policies are obeyed; None for all.
        own_namespace: of the Lease and the certificate's Secret; None for the process's own.
        event_sink: URL that is told of decisions; None for none.
        webhook: how changes are let in.
        keep_days: of canaries that have ended.
    """

    store: str
    host: str
    port: int
    namespace: str | None
    own_namespace: str | None
    event_sink: str | None
    webhook: WebhookSettings
    keep_days: float


def run_controller(settings: Settings, *, on_ready: Callable[[int], None]) -> bool:
    """Look after policies until SIGTERM or SIGINT.

    Args:
        settings: how.
        on_ready: called with the port when it is answered on.

    Returns:
        False when it ended because it no longer leads.

    Raises:
        CannotRollOut: there is no cluster to talk to.
        StoreError: the journal cannot be opened.
        StartError: the port is taken.
    """
    ended, stopping = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    registry = CollectorRegistry()
    connection = connect()
    with ExitStack() as stack:
        journal = Journal(settings.store)
        stack.callback(journal.close)
        metrics = CanaryMetrics(registry)
        cluster = Cluster(connection, namespace=settings.namespace)
        books = Books(
            cluster, Ledger(journal), metrics, on_decision=stack.enter_context(_notices(journal, settings))
        )
        reconciler = Reconciler(ClusterPlaces(connection), books)
        controller = Controller(cluster, reconciler, metrics)
        rested = threading.Event()
        rested.set()

        def lead() -> None:
            logger.info("leading")
            rested.clear()
            try:
                controller.run(ended)
            finally:
                rested.set()

        def is_well() -> bool:
            return rested.is_set() or controller.silent_seconds < _HANGING_SECONDS

        server = serve_pages(Pages(registry, journal, is_well=is_well), settings.host, settings.port)
        stack.callback(server.shutdown)
        own = settings.own_namespace or own_namespace()
        stack.callback(Admitting(connection, own, settings.webhook).close)
        election = Election(connection, own, f"{socket.gethostname()}-{os.getpid()}")
        lost = election.run(lead)
        on_ready(server.server_port)
        _wait(stopping, lost, journal, keep_seconds=settings.keep_days * 24 * 3600)
        logger.info("the lease is lost" if lost.is_set() else "stopping")
        ended.set()
        if rested.wait(_LAST_SECONDS):
            election.give_back()
        return not lost.is_set()


def _wait(stopping: threading.Event, lost: threading.Event, journal: Journal, *, keep_seconds: float) -> None:
    """Until there is nothing more to do, and old canaries are forgotten meanwhile."""
    due = time.monotonic()
    while not stopping.wait(0.5) and not lost.is_set():
        if time.monotonic() < due:
            continue
        due = time.monotonic() + _FORGET_SECONDS
        try:
            journal.forget(before=time.time() - keep_seconds)
        except StoreError as error:
            logger.warning("old canaries are not forgotten: %s", error)


@contextmanager
def _notices(journal: Journal, settings: Settings) -> Iterator[Callable[[], None]]:
    """What wakes whoever tells the sink, where there is one."""
    if settings.event_sink is None:
        yield lambda: None
        return
    notifier = Notifier(CanaryOutbox(journal, origin=_ORIGIN), settings.event_sink)
    try:
        yield notifier.wake
    finally:
        notifier.close()
