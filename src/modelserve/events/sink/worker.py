"""The thread on which a consumer works through what was taken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from math import inf
from time import monotonic

from modelserve.events.logged import LoggedMessage
from modelserve.events.sink.backlog import Backlog
from modelserve.events.sink.consumer import Consumer
from modelserve.events.sink.metrics import Outcome, SinkMetrics
from modelserve.events.sink.seldom import Seldom

logger = logging.getLogger(__name__)

_IDLE_SECONDS = 1.0

_CLOSE_SECONDS = 30.0
"""For the message in work when the time is over, and for the consumer's own end."""


class Worker:
    """Gives messages to a consumer, one after the other, until it is stopped.

    Args:
        consumer: whose methods are called on this thread only.
        backlog: has the messages.
        metrics: count those that fail, and those that are left at the end.
    """

    def __init__(self, consumer: Consumer, backlog: Backlog, metrics: SinkMetrics) -> None:
        self._consumer, self._backlog, self._metrics = consumer, backlog, metrics
        self._deadline, self._is_stopping = inf, False
        self._next_idle = 0.0
        self._seldom = Seldom(logger, seconds=1.0)
        self._thread = threading.Thread(target=self._run, name="consumer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._next_idle = monotonic() + _IDLE_SECONDS
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether messages are worked on."""
        return self._thread.is_alive()

    def hurry(self, *, deadline: float) -> None:
        """Drop what is not worked off at a time, by ``time.monotonic``."""
        self._deadline = deadline

    def stop(self) -> None:
        """Work off what waits, close the consumer, and end; nothing may be put into the backlog any more."""
        self._is_stopping = True
        self._backlog.close()
        self._thread.join(max(0.0, self._deadline - monotonic()) + _CLOSE_SECONDS)
        if self._thread.is_alive():
            logger.error("the consumer did not end; %d events were not worked off", len(self._backlog))

    def _run(self) -> None:
        while True:
            is_stopping = self._is_stopping  # read first: what came before the stop is worked off
            messages = self._backlog.get(timeout_seconds=max(0.0, self._next_idle - monotonic()))
            if not messages and is_stopping:
                break
            for message in messages:
                self._work_on(message)
                self._backlog.done(message)
            self._idle_if_due()
        self._guarded(self._consumer.close, "did not close")

    def _work_on(self, message: LoggedMessage) -> None:
        if monotonic() >= self._deadline:
            self._metrics.count(Outcome.DROPPED)
            return
        if not self._guarded(lambda: self._consumer.take(message), "failed on an event"):
            self._metrics.count(Outcome.FAILED)
        self._idle_if_due()

    def _idle_if_due(self) -> None:
        if monotonic() >= self._next_idle:
            self._guarded(self._consumer.idle, "failed while idle")
            self._next_idle = monotonic() + _IDLE_SECONDS

    def _guarded(self, call: Callable[[], None], complaint: str) -> bool:
        """Whether the call went well; if it did not, the log says why."""
        try:
            call()
        except Exception as error:
            self._seldom.log(logging.ERROR, f"the consumer {complaint}", error)
            return False
        return True
