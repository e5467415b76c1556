"""Calls of one source, collected until there are enough to judge. Nothing here reads a clock or waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from modelserve.drift.table import Row, Table
from modelserve.drift.verdicts import Source


@dataclass(frozen=True, slots=True)
class Observation:
    """What one call adds to a window.

    Attributes:
        call_id: unique for the component.
        at: when it was made, in seconds since 1970, by the clock of who logged it.
        rows: a row for each of its texts or images.
        excerpts: something to show of each; None for one of which nothing can be shown.
    """

    call_id: str
    at: float
    rows: Sequence[Row]
    excerpts: Sequence[bytes | None]


@dataclass(frozen=True, slots=True)
class Window:
    """Samples of one source, in the order in which they came.

    ``opened`` and ``closed`` are of its first and its last call, in seconds since 1970.
    """

    source: Source
    opened: float
    closed: float
    table: Table
    excerpts: Sequence[bytes | None]


@dataclass(slots=True)
class _Open:
    """A window that collects: what is stored of it, and what came since."""

    since: float
    stored: list[Window] = field(default_factory=list)
    fresh: list[Observation] = field(default_factory=list)
    samples: int = 0


class Windows:
    """Tumbling windows: one closes, and the next begins, with ``size`` samples or after ``seconds``.

    A component that is told to have other weights in the same revision begins a new window: samples of
    two models are never judged together.

    Args:
        size: samples of a window; a call's samples stay together, so that it may have a few more.
        seconds: after which a window closes with what it has, counted from its first call.
    """

    def __init__(self, *, size: int, seconds: float) -> None:
        self._size, self._seconds = size, seconds
        self._open: dict[Source, _Open] = {}

    def add(self, source: Source, observation: Observation, *, now: float) -> bool:
        """Take a call; whether its window has enough samples now.

        Args:
            source: whose call it is.
            observation: of the call.
            now: seconds by any clock that does not go back.
        """
        found = self._open.setdefault(source, _Open(now))
        found.fresh.append(observation)
        found.samples += len(observation.rows)
        return found.samples >= self._size

    def restore(self, window: Window, *, now: float) -> None:
        """Take a part of a window that was open before a restart; its time begins anew."""
        found = self._open.setdefault(window.source, _Open(now))
        found.stored.append(window)
        found.samples += window.table.size

    def take_fresh(self) -> Iterator[tuple[Window, Sequence[str]]]:
        """What came since the last time, as parts of the open windows, with the ids of the calls.

        They are kept as tables from here on, which take a tenth of the room.
        """
        for source, found in self._open.items():
            if found.fresh:
                part = _part(source, found.fresh)
                ids = [observation.call_id for observation in found.fresh]
                found.stored.append(part)
                found.fresh.clear()
                yield part, ids

    def full(self, *, now: float) -> list[Window]:
        """The windows that have enough samples or time, of what ``take_fresh`` has given."""
        return [
            _joined(found.stored)
            for found in self._open.values()
            if found.stored and (found.samples >= self._size or now - found.since >= self._seconds)
        ]

    def close(self, source: Source) -> None:
        """A window that was full is judged and written; the next begins with the source's next call."""
        del self._open[source]

    @property
    def samples(self) -> dict[Source, int]:
        """Of the open windows."""
        return {source: found.samples for source, found in self._open.items()}


def _part(source: Source, observations: Sequence[Observation]) -> Window:
    times = [observation.at for observation in observations]
    return Window(
        source,
        min(times),
        max(times),
        Table.from_rows([row for observation in observations for row in observation.rows]),
        [excerpt for observation in observations for excerpt in observation.excerpts],
    )


def _joined(parts: Sequence[Window]) -> Window:
    return replace(
        parts[0],
        opened=min(part.opened for part in parts),
        closed=max(part.closed for part in parts),
        table=Table.concat([part.table for part in parts]),
        excerpts=[excerpt for part in parts for excerpt in part.excerpts],
    )
