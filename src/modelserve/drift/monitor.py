"""From halves of calls to verdicts: joins, extracts, collects, judges, and writes what must survive.

It belongs to one thread, and asks the time of the clock that it is given.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelserve.drift.assessing import Assessor
from modelserve.drift.baselines import References
from modelserve.drift.features import Extractor
from modelserve.drift.store import Store, StoreError
from modelserve.drift.verdicts import UNKNOWN, Source, Verdict
from modelserve.drift.windows import Observation, Window, Windows
from modelserve.events import EventError, Joiner, LoggedMessage, Pair
from modelserve.events.payloads import read_call

logger = logging.getLogger(__name__)

REMEMBERED = 100_000
"""Calls by which repetitions are known, in the store as well."""

_FLUSH_SAMPLES = 500
MOST_UNWRITTEN = 20_000
"""Samples that are kept in memory while the store cannot be written."""


@dataclass(frozen=True, slots=True)
class MonitorOptions:
    """How calls are collected.

    Attributes:
        window_samples: texts or images of a window.
        window_seconds: after which a window closes with fewer.
        join_seconds: how long one half of a call waits for the other.
        flush_seconds: how long what came is in memory alone: what a crash loses.
        keep_seconds: how long windows and verdicts are kept.
        shown: whether inputs are kept until their window closes, those that are to be shown then longer.
    """

    window_samples: int = 200
    window_seconds: float = 3600.0
    join_seconds: float = 60.0
    flush_seconds: float = 1.0
    keep_seconds: float = 90 * 24 * 3600.0
    shown: bool = True


class Monitor:
    """Takes halves of calls, and says what it finds of each window.

    Args:
        store: what has been and what is to be kept.
        references: the baselines, by model.
        assessor: judges windows.
        options: how calls are collected.
        tell: called with each verdict, once it is stored.
        clock: seconds that do not go back.
    """

    def __init__(
        self,
        store: Store,
        references: References,
        assessor: Assessor,
        options: MonitorOptions,
        *,
        tell: Callable[[Verdict], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._references, self._assessor = store, references, assessor
        self._options, self._tell = options, tell
        self._clock = clock
        self._joiner = Joiner(wait_seconds=options.join_seconds, remembered=REMEMBERED)
        self._windows = Windows(size=options.window_samples, seconds=options.window_seconds)
        self._extractors: dict[str, Extractor] = {}
        self._unwritten: list[tuple[Window, Sequence[str]]] = []
        self._outcomes: Counter[str] = Counter()
        self._fresh, self._flushed = 0, clock()
        for component, call in store.recent_calls(REMEMBERED):
            self._joiner.remember(component, call)
        for part in store.open_parts():
            self._windows.restore(part, now=self._flushed)

    @property
    def outcomes(self) -> Counter[str]:
        """What became of the halves that are no longer waiting; each is counted once.

        Of those that were joined, ``paired`` are in windows; ``unreadable`` are of calls that are none of
        ours, and ``unstored`` came while the store could not be written for so long that memory ran out.
        """
        outcomes = self._joiner.outcomes + self._outcomes
        outcomes["paired"] -= self._outcomes.total()
        return +outcomes  # without those that are none

    @property
    def waiting(self) -> int:
        """Halves that wait for the other."""
        return len(self._joiner)

    def take(self, message: LoggedMessage) -> None:
        """Take half a call."""
        pair = self._joiner.offer(message, now=self._clock())
        if pair is None:
            return
        is_full = self._count(pair)
        # While the store cannot be written each try takes its time-out: they are left to ``idle``.
        if not self._unwritten and (is_full or self._fresh >= _FLUSH_SAMPLES):
            self._flush()

    def idle(self) -> None:
        """Do what is due: to be called every second or so."""
        now = self._clock()
        self._joiner.expire(now=now)
        if now - self._flushed >= self._options.flush_seconds:
            self._flush()

    def close(self) -> None:
        """Write what came; windows that are open are taken up again by the next monitor on the store."""
        self._write()

    def _count(self, pair: Pair) -> bool:
        """Put a call into its window; whether that is full now."""
        try:
            call = read_call(pair)
        except EventError as error:
            logger.debug("a call of %s is not used: %s", pair.component.service, error)
            self._outcomes["unreadable"] += 2
            return False
        if self._fresh >= MOST_UNWRITTEN:
            self._outcomes["unstored"] += 2
            return False
        source = Source(pair.component, call.revision or UNKNOWN, call.model_digest or UNKNOWN)
        rows, excerpts = self._extractor(source).examine(call)
        observation = Observation(pair.request.id, pair.request.time, rows, excerpts)
        self._fresh += len(rows)
        return self._windows.add(source, observation, now=self._clock())

    def _extractor(self, source: Source) -> Extractor:
        """By the files of the model that the reference has; they are large, and made once."""
        reference = self._references.find(source)
        version = "" if reference is None else reference.version
        if version not in self._extractors:
            assets = {} if reference is None else reference.assets
            self._extractors[version] = Extractor(assets, shown=self._options.shown)
        return self._extractors[version]

    def _flush(self) -> None:
        self._flushed = self._clock()
        if not self._write():
            return
        for window in self._windows.full(now=self._flushed):
            assessed = self._assessor.assess(window)
            try:
                self._store.forget(before=window.closed - self._options.keep_seconds)
                self._store.close_window(window, assessed, keep_calls=REMEMBERED)
            except StoreError as error:
                logger.error("%s; the window of %s is judged again", error, window.source.revision)
                return
            self._windows.close(window.source)
            self._assessor.close(window, [verdict for verdict, _ in assessed])
            for verdict, _ in assessed:
                self._tell(verdict)

    def _write(self) -> bool:
        """Write what came; False where the store cannot be written now."""
        self._unwritten.extend(self._windows.take_fresh())
        try:
            while self._unwritten:
                self._store.add_part(*self._unwritten[0])
                self._fresh -= self._unwritten.pop(0)[0].table.size
        except StoreError as error:
            logger.error("%s; what came is kept in memory", error)
            return False
        return True
