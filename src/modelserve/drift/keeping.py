"""Where samples are until their window closes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from modelserve.drift.store import Store
from modelserve.drift.table import FEATURES_VERSION
from modelserve.drift.verdicts import Source, Verdict
from modelserve.drift.windows import Observation, Window, Windows

MOST_UNWRITTEN = 20_000
"""Samples that are kept in memory while the store cannot be written."""

_FLUSH_SAMPLES = 500


class Keeper(Protocol):
    """Collects samples, and gives windows that have closed."""

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more samples, as when they could not be written for long."""

    def add(self, source: Source, observation: Observation, *, now: float) -> bool:
        """Take a call; whether it is time to write.

        Args:
            source: whose call it is.
            observation: of the call.
            now: seconds by any clock that does not go back.
        """

    def write(self) -> None:
        """Write what came.

        Raises:
            StoreError: it cannot be written now; it is kept, and written the next time.
        """

    def closing(self, *, now: float) -> Iterator[Window]:
        """The windows that are to be judged; those that are not closed then come again.

        Raises:
            StoreError: they cannot be read.
        """

    def close(self, window: Window, verdicts: Sequence[tuple[Verdict, Sequence[bytes]]]) -> bool:
        """Store what is said of a window; whether it was the first that was said.

        Args:
            window: that ``closing`` gave.
            verdicts: on it, each with the inputs to keep for people to see.

        Raises:
            StoreError: it cannot be stored.
        """


class LocalKeeper:
    """In the memory of the one process that writes, and in a store from which it is brought back.

    Args:
        store: of this process alone.
        size: samples of a window.
        seconds: after which a window closes with what it has.
        remembered: calls by which repetitions are known after a restart.
        now: as in ``add``.
    """

    def __init__(self, store: Store, *, size: int, seconds: float, remembered: int, now: float) -> None:
        self._store, self._remembered = store, remembered
        self._windows = Windows(size=size, seconds=seconds)
        self._unwritten: list[tuple[Window, Sequence[str]]] = []
        self._fresh = 0
        for part in store.open_parts():
            if part.table.version == FEATURES_VERSION:  # else it was told before an update, and is left out
                self._windows.restore(part, now=now)

    @property
    def is_full(self) -> bool:
        """Whether the store could not be written for so long that memory ran out."""
        return self._fresh >= MOST_UNWRITTEN

    def add(self, source: Source, observation: Observation, *, now: float) -> bool:
        """Take a call; whether its window, or what is not written, is large enough."""
        self._fresh += len(observation.rows)
        is_large = self._windows.add(source, observation, now=now) or self._fresh >= _FLUSH_SAMPLES
        # While the store cannot be written each try takes its time-out: they are left to the clock.
        return is_large and not self._unwritten

    def write(self) -> None:
        """Write what came.

        Raises:
            StoreError: the store cannot be written now; what came is kept in memory.
        """
        self._unwritten.extend(self._windows.take_fresh())
        while self._unwritten:
            self._store.add_part(*self._unwritten[0])
            self._fresh -= self._unwritten.pop(0)[0].table.size

    def closing(self, *, now: float) -> Iterator[Window]:
        """The windows that have enough samples or time, of what was written."""
        yield from self._windows.full(now=now)

    def close(self, window: Window, verdicts: Sequence[tuple[Verdict, Sequence[bytes]]]) -> bool:
        """Store what is said of a window; the next begins with the source's next call.

        Raises:
            StoreError: it cannot be stored.
        """
        self._store.close_window(window, verdicts, keep_calls=self._remembered)
        self._windows.close(window.source)
        return True
