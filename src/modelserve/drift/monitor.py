"""From halves of calls to verdicts: joins, extracts, collects, judges, and writes what must survive.

It belongs to one thread, and asks the time of the clock that it is given.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from modelserve.database import StoreError
from modelserve.drift.assessing import Assessor
from modelserve.drift.baselines import References
from modelserve.drift.extractors import Extractors
from modelserve.drift.keeping import Keeper, LocalKeeper
from modelserve.drift.store import Store
from modelserve.drift.streams import Streams
from modelserve.drift.verdicts import UNKNOWN, Source, Verdict
from modelserve.drift.watching import WatchedKeeper
from modelserve.drift.windows import Observation
from modelserve.events import EventError, Joiner, Joining, LoggedMessage, Pair
from modelserve.events.payloads import read_call

logger = logging.getLogger(__name__)

REMEMBERED = 100_000
"""Calls by which repetitions are known, in the store as well."""


@dataclass(frozen=True, slots=True)
class MonitorOptions:
    """How calls are collected.

    Attributes:
        window_samples: texts or images of a window.
        window_seconds: after which a window closes with fewer.
        join_seconds: how long one half of a call waits for the other.
        flush_seconds: how long what came is in memory alone: what a crash loses.
        shown: whether inputs are kept until their window closes, those that are to be shown then longer.
    """

    window_samples: int = 200
    window_seconds: float = 3600.0
    join_seconds: float = 60.0
    flush_seconds: float = 1.0
    shown: bool = True


class Monitor:
    """Takes halves of calls, and says what it finds of each window.

    Args:
        joiner: makes calls of halves.
        keeper: has their samples until their window closes.
        references: the baselines, by model.
        assessor: judges windows.
        options: how calls are collected.
        tell: called with each verdict, once it is stored.
        clock: seconds that do not go back.
    """

    def __init__(
        self,
        joiner: Joining,
        keeper: Keeper,
        references: References,
        assessor: Assessor,
        options: MonitorOptions,
        *,
        tell: Callable[[Verdict], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._joiner, self._keeper = joiner, keeper
        self._assessor, self._options, self._tell = assessor, options, tell
        self._clock = clock
        self._extractors = Extractors(references, shown=options.shown)
        self._outcomes: Counter[str] = Counter()
        self._flushed = clock()
        self._is_left_to_idle = False

    @property
    def outcomes(self) -> Counter[str]:
        """What became of the halves that are no longer waiting; each is counted once.

        Of those that were joined, ``paired`` are in windows; ``unreadable`` are of calls that are none of
        ours, and ``unstored`` came while the store could not be written for so long that memory ran out.
        ``failed`` are the first halves of calls on whose second half ``take`` raised an exception.
        """
        outcomes = self._joiner.outcomes + self._outcomes
        # Of a call that failed, the second half is for the caller of ``take`` to count.
        outcomes["paired"] -= self._outcomes.total() + self._outcomes["failed"]
        return +outcomes  # without those that are none

    def take(self, message: LoggedMessage) -> None:
        """Take half a call. One on which this raises is not among ``outcomes``."""
        pair = self._joiner.offer(message, now=self._clock())
        if pair is None:
            return
        try:
            is_time_to_write = self._count(pair)
        except Exception:
            self._outcomes["failed"] += 1
            raise
        if is_time_to_write and not self._is_left_to_idle:
            try:
                self._flush()
            except Exception:
                # This call is counted. ``idle`` tries again, and what it raises is of no single call.
                self._is_left_to_idle = True
                logger.exception("a window cannot be judged; it is tried again")

    def idle(self) -> None:
        """Do what is due: to be called every second or so."""
        now = self._clock()
        self._joiner.expire(now=now)
        if now - self._flushed >= self._options.flush_seconds:
            self._flush()
            self._is_left_to_idle = False

    def close(self) -> None:
        """Write what came; windows that are open are taken up again by the next monitor."""
        try:
            self._keeper.write()
        except StoreError as error:
            logger.error("%s; what came since is lost", error)

    def _count(self, pair: Pair) -> bool:
        """Put a call into its window; whether it is time to write."""
        try:
            call = read_call(pair)
        except EventError as error:
            logger.debug("a call of %s is not used: %s", pair.component.service, error)
            self._outcomes["unreadable"] += 2
            return False
        if self._keeper.is_full:
            self._outcomes["unstored"] += 2
            return False
        source = Source(pair.component, call.revision or UNKNOWN, call.model_digest or UNKNOWN)
        now = self._clock()
        rows, excerpts = self._extractors.find(source, now=now).examine(call)
        observation = Observation(pair.request.id, pair.request.time, rows, excerpts)
        return self._keeper.add(source, observation, now=now)

    def _flush(self) -> None:
        self._flushed = self._clock()
        try:
            self._keeper.write()
            for window in self._keeper.closing(now=self._flushed):
                assessed = self._assessor.assess(window)
                if self._keeper.close(window, assessed):
                    for verdict, _ in assessed:
                        self._tell(verdict)
                # An open window needs none that was last used before it began.
                self._extractors.forget(before=self._flushed - self._options.window_seconds)
        except StoreError as error:
            logger.error("%s; what came is kept, and tried again", error)


def local_monitor(
    store: Store,
    references: References,
    assessor: Assessor,
    options: MonitorOptions,
    *,
    tell: Callable[[Verdict], None],
    streams: Streams | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Monitor:
    """The one monitor of a store, which goes on where the last one ended."""
    joiner = Joiner(wait_seconds=options.join_seconds, remembered=REMEMBERED)
    for component, call in store.recent_calls(REMEMBERED):
        joiner.remember(component, call)
    keeper: Keeper = LocalKeeper(
        store,
        size=options.window_samples,
        seconds=options.window_seconds,
        remembered=REMEMBERED,
        now=clock(),
    )
    if streams is not None:
        keeper = WatchedKeeper(keeper, streams, store, tell=tell)
    return Monitor(joiner, keeper, references, assessor, options, tell=tell, clock=clock)
