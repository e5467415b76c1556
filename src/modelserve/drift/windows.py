"""Calls of one source, collected until there are enough to judge. Nothing here reads a clock or waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from modelserve.drift.table import Row, Table, TableError
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

    Attributes:
        source: whose they are.
        opened: when its first call was made, in seconds since 1970.
        closed: when its last one was, likewise.
        table: of the samples; without columns where they make no table together.
        excerpts: something to show of each sample.
        flaw: why they make no table together; empty where they do.
    """

    source: Source
    opened: float
    closed: float
    table: Table
    excerpts: Sequence[bytes | None]
    flaw: str = ""


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
            fresh, found.fresh = found.fresh, []
            for part, ids in parts_of(source, fresh):
                found.stored.append(part)
                yield part, ids

    def full(self, *, now: float) -> list[Window]:
        """The windows that have enough samples or time, of what ``take_fresh`` has given."""
        return [
            whole(found.stored)
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


def parts_of(source: Source, observations: Sequence[Observation]) -> list[tuple[Window, Sequence[str]]]:
    """Calls of a source as parts of its window, each with the ids of its calls.

    They are one part, if there are any; or one for each call where they make no table together, so that what
    is wrong with the window is told when it closes, and not each time that it is written.
    """
    if not observations:
        return []
    try:
        return [_part_of(source, observations)]
    except TableError:
        return [_part_of(source, [observation]) for observation in observations]


def _part_of(source: Source, observations: Sequence[Observation]) -> tuple[Window, Sequence[str]]:
    times = [observation.at for observation in observations]
    part = Window(
        source,
        min(times),
        max(times),
        Table.from_rows([row for observation in observations for row in observation.rows]),
        [excerpt for observation in observations for excerpt in observation.excerpts],
    )
    return part, [observation.call_id for observation in observations]


def whole(parts: Sequence[Window]) -> Window:
    """A window of its parts, one at least, in the order in which they came."""
    tables = [part.table for part in parts]
    flaw = ""
    try:
        table = Table.concat(tables)
    except TableError as error:
        # As of a model that was swapped under its name: no later try makes them a whole.
        flaw = str(error)
        table = Table(sum(one.size for one in tables), {}, {}, tables[-1].version)
    return replace(
        parts[0],
        opened=min(part.opened for part in parts),
        closed=max(part.closed for part in parts),
        table=table,
        excerpts=[excerpt for part in parts for excerpt in part.excerpts],
        flaw=flaw,
    )
