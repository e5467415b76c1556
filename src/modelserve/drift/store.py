"""What must outlive the process: references, windows, verdicts, and which calls were counted.

SQLite in a file by default, PostgreSQL by URL. A call's samples and its id are written in one transaction,
so that after a restart no call is counted twice, and none that was written is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import sqlalchemy as sa

from modelserve.database import Database, RepeatedError
from modelserve.drift.references import Reference
from modelserve.drift.rows import (
    StoredVerdict,
    component_of,
    pack,
    source_columns,
    verdict_columns,
    verdict_of,
    window_of,
)
from modelserve.drift.schema import CALLS, METADATA, PARTS, REFERENCES, VERDICTS, WINDOWS
from modelserve.drift.verdicts import Outcome, Source, Verdict
from modelserve.drift.windows import Window
from modelserve.events import Component

logger = logging.getLogger(__name__)


class Store:
    """References, windows and verdicts in a database.

    Args:
        url: SQLAlchemy's, as ``sqlite:///drift.db`` or ``postgresql+psycopg://HOST/NAME``.

    Raises:
        StoreError: there is no such database, or it cannot be written.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, METADATA)

    def close(self) -> None:
        """Let go of its connections."""
        self._database.close()

    def add_reference(self, reference: Reference) -> None:
        """Keep a reference; one of the same version is there already."""
        with self._database.transaction() as connection:
            same = sa.select(REFERENCES.c.version).where(REFERENCES.c.version == reference.version)
            if connection.execute(same).first() is None:
                connection.execute(
                    REFERENCES.insert().values(
                        version=reference.version,
                        model=reference.model,
                        model_digest=reference.model_digest,
                        created=reference.created,
                        packed=reference.to_bytes(),
                    )
                )

    def latest_references(self, *, but: Sequence[str] = ()) -> list[Reference]:
        """The newest reference of each model and digest.

        Args:
            but: versions that are had already.
        """
        newest = sa.select(sa.func.max(REFERENCES.c.version)).group_by(
            REFERENCES.c.model, REFERENCES.c.model_digest
        )
        wanted = sa.and_(REFERENCES.c.version.in_(newest), REFERENCES.c.version.not_in(but))
        rows = self._database.rows(sa.select(REFERENCES.c.packed).where(wanted))
        return [Reference.from_bytes(row.packed) for row in rows]

    def add_part(self, part: Window, ids: Sequence[str]) -> None:
        """Write what came to an open window, with the ids of its calls, whole or not at all.

        A part whose calls are there already was written before: its first writing was done although it
        seemed to fail, as when a connection breaks before the answer.
        """
        component = part.source.component._asdict()
        try:
            with self._database.transaction() as connection:
                connection.execute(CALLS.insert(), [{**component, "call": one} for one in ids])
                connection.execute(
                    PARTS.insert().values(
                        window=_open_window(connection, part.source),
                        opened=part.opened,
                        closed=part.closed,
                        features=part.table.to_bytes(),
                        excerpts=pack(part.excerpts),
                    )
                )
        except RepeatedError:
            logger.warning("a part of a window of %s was written before", part.source.component.service)

    def open_parts(self) -> list[Window]:
        """The parts of the windows that are open, in the order in which they were written."""
        chosen = (
            sa.select(*_SOURCE, PARTS.c.opened, PARTS.c.closed, PARTS.c.features, PARTS.c.excerpts)
            .join(PARTS, PARTS.c.window == WINDOWS.c.number)
            .where(WINDOWS.c.is_open)
            .order_by(PARTS.c.number)
        )
        return [window_of(row, row.excerpts) for row in self._database.rows(chosen)]

    def recent_calls(self, most: int) -> list[tuple[Component, str]]:
        """The calls that were counted last, the oldest first."""
        chosen = sa.select(CALLS).order_by(CALLS.c.number.desc()).limit(most)
        return [(component_of(row), row.call) for row in reversed(self._database.rows(chosen))]

    def close_window(
        self,
        window: Window,
        verdicts: Sequence[tuple[Verdict, Sequence[bytes]]],
        *,
        keep_calls: int = 0,
        key: str | None = None,
    ) -> None:
        """Close an open window with what is said of it.

        Its samples are kept, without excerpts, until the source's next window closes. Those of a window with
        a flaw are not: nothing can be compared with them.

        Args:
            window: whole.
            verdicts: on it, each with the inputs to keep for people to see.
            keep_calls: ids of calls to go on remembering, of the newest.
            key: of the window, by which it is closed only once.

        Raises:
            RepeatedError: a window of that key is closed.
            StoreError: the store cannot be written.
        """
        with self._database.transaction() as connection:
            number = _open_window(connection, window.source)
            connection.execute(PARTS.delete().where(PARTS.c.window == number))
            connection.execute(
                WINDOWS.update().where(_is_of(window.source), ~WINDOWS.c.is_open).values(features=None)
            )
            connection.execute(
                WINDOWS.update()
                .where(WINDOWS.c.number == number)
                .values(
                    is_open=False,
                    key=key,
                    opened=window.opened,
                    closed=window.closed,
                    samples=window.table.size,
                    features=None if window.flaw else window.table.to_bytes(),
                )
            )
            for verdict, inputs in verdicts:
                connection.execute(
                    VERDICTS.insert().values(window=number, **verdict_columns(verdict, inputs))
                )
            newest = sa.select(sa.func.max(CALLS.c.number)).scalar_subquery()
            connection.execute(CALLS.delete().where(CALLS.c.number <= newest - keep_calls))

    def add_verdict(self, verdict: Verdict) -> None:
        """Keep what is said of a window that is still open.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._database.transaction() as connection:
            number = _open_window(connection, verdict.source)
            connection.execute(VERDICTS.insert().values(window=number, **verdict_columns(verdict, ())))

    def last_windows(self, component: Component | None = None, *, since: float = 0.0) -> list[Window]:
        """The last closed window of each source, the oldest first.

        Args:
            component: of its sources only.
            since: those that closed then or later, in seconds since 1970.
        """
        chosen = (
            sa.select(*_SOURCE, WINDOWS.c.opened, WINDOWS.c.closed, WINDOWS.c.features)
            .where(~WINDOWS.c.is_open, WINDOWS.c.features.is_not(None), WINDOWS.c.closed >= since)
            .order_by(WINDOWS.c.closed)
        )
        if component is not None:
            chosen = chosen.where(_is_within(component))
        return [window_of(row) for row in self._database.rows(chosen)]

    def first_seen(self, component: Component) -> dict[str, float]:
        """When the first closed window of each of a component's revisions opened, in seconds since 1970."""
        first = sa.select(WINDOWS.c.revision, sa.func.min(WINDOWS.c.opened).label("first"))
        chosen = first.where(_is_within(component), ~WINDOWS.c.is_open).group_by(WINDOWS.c.revision)
        return {row.revision: row.first for row in self._database.rows(chosen)}

    def last_outcomes(self, source: Source, baseline: str, *, most: int) -> list[Outcome]:
        """What was last said of a source against a baseline, the oldest first, but for ``NO_VERDICT``."""
        chosen = (
            sa.select(VERDICTS.c.outcome)
            .join(WINDOWS, VERDICTS.c.window == WINDOWS.c.number)
            .where(_is_of(source), VERDICTS.c.baseline == baseline)
            .where(VERDICTS.c.outcome != Outcome.NO_VERDICT.value)
            .order_by(VERDICTS.c.number.desc())
            .limit(most)
        )
        return [Outcome(row.outcome) for row in reversed(self._database.rows(chosen))]

    def forget(self, *, before: float) -> None:
        """Delete windows that closed before then, in seconds since 1970, and what was said of them."""
        old = sa.select(WINDOWS.c.number).where(~WINDOWS.c.is_open, WINDOWS.c.closed < before)
        with self._database.transaction() as connection:
            connection.execute(VERDICTS.delete().where(VERDICTS.c.window.in_(old)))
            connection.execute(WINDOWS.delete().where(WINDOWS.c.number.in_(old)))

    def verdicts(
        self, *, service: str | None = None, since: float = 0.0, after: int = 0, last: int | None = None
    ) -> list[StoredVerdict]:
        """Verdicts, the oldest first.

        Args:
            service: of this InferenceService only.
            since: on windows that closed then or later, in seconds since 1970.
            after: the one of this number.
            last: at most so many, the newest ones.
        """
        wanted = sa.and_(VERDICTS.c.closed >= since, VERDICTS.c.number > after)
        chosen = _VERDICTS.where(wanted).order_by(VERDICTS.c.number.desc()).limit(last)
        if service is not None:
            chosen = chosen.where(WINDOWS.c.service == service)
        return [verdict_of(row) for row in reversed(self._database.rows(chosen))]

    def untold(self, *, since: float) -> list[StoredVerdict]:
        """Verdicts with an alarm of which no notice was sent yet, the oldest first.

        Args:
            since: on windows that closed then or later, in seconds since 1970.
        """
        wanted = _VERDICTS.where(VERDICTS.c.alarm, ~VERDICTS.c.is_told, VERDICTS.c.closed >= since)
        return [verdict_of(row) for row in self._database.rows(wanted.order_by(VERDICTS.c.number))]

    def mark_told(self, number: int) -> None:
        """A notice was sent of the verdict of that number."""
        with self._database.transaction() as connection:
            connection.execute(VERDICTS.update().where(VERDICTS.c.number == number).values(is_told=True))


_SOURCE = [WINDOWS.c[name] for name in ("namespace", "service", "name", "revision", "model_digest")]
_VERDICTS = sa.select(VERDICTS, *_SOURCE).join(WINDOWS, VERDICTS.c.window == WINDOWS.c.number)


def _is_within(component: Component) -> sa.ColumnElement[bool]:
    return sa.and_(*(WINDOWS.c[name] == value for name, value in component._asdict().items()))


def _is_of(source: Source) -> sa.ColumnElement[bool]:
    return sa.and_(*(WINDOWS.c[name] == value for name, value in source_columns(source).items()))


def _open_window(connection: sa.Connection, source: Source) -> int:
    """The number of the source's open window, which begins where there is none."""
    found = connection.execute(sa.select(WINDOWS.c.number).where(_is_of(source), WINDOWS.c.is_open)).first()
    if found is not None:
        number: int = found.number
        return number
    made = connection.execute(WINDOWS.insert().values(is_open=True, **source_columns(source)))
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])
