"""A keeper whose samples are looked at as they come as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from modelserve.drift.keeping import Keeper
from modelserve.drift.store import Store
from modelserve.drift.streams import Streams
from modelserve.drift.verdicts import Source, Verdict
from modelserve.drift.windows import Observation, Window


class WatchedKeeper:
    """``modelserve.drift.keeping.Keeper`` around another.

    Args:
        keeper: has the samples.
        streams: look at them.
        store: gets what they find; the keeper's.
        tell: called with each verdict that they find before its window has closed, once it is stored.
    """

    def __init__(
        self, keeper: Keeper, streams: Streams, store: Store, *, tell: Callable[[Verdict], None]
    ) -> None:
        self._keeper, self._streams = keeper, streams
        self._store, self._tell = store, tell
        self._unwritten: list[Verdict] = []

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more samples."""
        return self._keeper.is_full

    def add(self, source: Source, observation: Observation, *, now: float) -> bool:
        """Take a call; whether it is time to write."""
        self._streams.add(source, observation)
        return self._keeper.add(source, observation, now=now)

    def write(self) -> None:
        """Write what came, and what is found at a look at it.

        Raises:
            StoreError: it cannot be written now; it is kept, and written the next time.
        """
        self._unwritten += self._streams.look()
        self._keeper.write()
        while self._unwritten:
            verdict = self._unwritten[0]
            self._store.add_verdict(verdict)
            del self._unwritten[0]
            self._tell(verdict)

    def closing(self, *, now: float) -> Iterator[Window]:
        """The windows that are to be judged."""
        return self._keeper.closing(now=now)

    def close(self, window: Window, verdicts: Sequence[tuple[Verdict, Sequence[bytes]]]) -> bool:
        """Store what is said of a window; whether it was the first that was said.

        Raises:
            StoreError: it cannot be stored.
        """
        steady = [(verdict, ()) for verdict in self._streams.assess(window)]
        is_first = self._keeper.close(window, [*verdicts, *steady])
        self._streams.close_window(window.source)
        return is_first
