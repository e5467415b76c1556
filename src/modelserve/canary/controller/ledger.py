"""Entries of the journal that wait while its database is away: a canary goes on, and back, without it."""

from __future__ import annotations

import logging
import threading
from collections import deque

from modelserve.canary.journal import Canary, Journal
from modelserve.canary.judge.measurements import Look
from modelserve.canary.running.course import Course
from modelserve.canary.running.driver import Progress
from modelserve.database import StoreError

_MOST_WAITING = 10_000

logger = logging.getLogger(__name__)


class Ledger:
    """What is written in the order in which it happened, at once or when the database is back.

    Args:
        journal: that it is written in.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: deque[tuple[Canary, Progress, bool]] = deque()
        self._lock = threading.Lock()

    def add(self, canary: Canary, progress: Progress, *, is_decision: bool) -> None:
        """Write an entry, or keep it until it can be."""
        with self._lock:
            if len(self._waiting) == _MOST_WAITING:
                lost = self._waiting.popleft()
                logger.error("an entry of %s is lost, %d wait", lost[0].service, _MOST_WAITING)
            self._waiting.append((canary, progress, is_decision))
            try:
                while self._waiting:
                    kept, what, decided = self._waiting[0]
                    self._journal.add(kept, what, is_decision=decided)
                    self._waiting.popleft()
            except StoreError as error:
                logger.warning("%d entries wait to be written: %s", len(self._waiting), error)

    def resume(self, canary: Canary, course: Course) -> list[Look]:
        """What was measured of a canary by now, where another process may have gone before.

        That one may have ended after it had written where the canary stands, and before it wrote that here.
        Where the journal cannot be read the judge begins anew, and has to see as much again before it lets
        the canary go on.
        """
        try:
            history = self._journal.history(canary)
        except StoreError as error:
            logger.warning("what was measured of %s is judged no more: %s", canary.service, error)
            return []
        last = history[-1].course if history else None
        if last is None or (last.phase, last.step) != (course.phase, course.step):
            self.add(canary, Progress(course.since, course, None), is_decision=True)
        return [one.look for one in history if one.look is not None]
