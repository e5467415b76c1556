"""The journal of canaries: SQLite in a file by default, PostgreSQL by URL."""

from __future__ import annotations

import sqlalchemy as sa

from modelserve.canary.journal.entries import Canary, Entry, pack, unpack
from modelserve.canary.journal.schema import CANARIES, ENTRIES, METADATA
from modelserve.canary.running.course import ENDS
from modelserve.canary.running.driver import Progress
from modelserve.database import Database


class Journal:
    """Everything that was seen of canaries.

    All methods raise ``StoreError`` where the database cannot be used.

    Args:
        url: SQLAlchemy's, as ``sqlite:///canary.db`` or ``postgresql+psycopg://HOST/NAME``.

    Raises:
        StoreError: there is no such database, or it cannot be written.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, METADATA)

    def close(self) -> None:
        """Let go of its connections."""
        self._database.close()

    def add(self, canary: Canary, progress: Progress, *, is_decision: bool) -> None:
        """Write an entry; it is there once this returns."""
        with self._database.transaction() as connection:
            connection.execute(
                ENTRIES.insert().values(
                    canary=_number(connection, canary),
                    at=progress.at,
                    phase=progress.course.phase.value,
                    is_decision=is_decision,
                    is_told=False,
                    progress=pack(progress),
                )
            )

    def history(self, canary: Canary) -> list[Progress]:
        """All that happened to a canary, in order."""
        chosen = _ENTRIES.where(_is(canary)).order_by(ENTRIES.c.number)
        return [unpack(row.progress) for row in self._database.rows(chosen)]

    def last_canary(self, namespace: str, service: str) -> Canary | None:
        """The newest canary of a service."""
        chosen = (
            sa.select(CANARIES)
            .where(CANARIES.c.namespace == namespace, CANARIES.c.service == service)
            .order_by(CANARIES.c.began_microseconds.desc())
            .limit(1)
        )
        return next((_canary(row) for row in self._database.rows(chosen)), None)

    def untold(self, *, since: float) -> list[Entry]:
        """Decisions that no sink has been told of, the oldest first.

        Args:
            since: made then or later, in seconds since 1970.
        """
        chosen = _ENTRIES.where(ENTRIES.c.is_decision, ~ENTRIES.c.is_told, ENTRIES.c.at >= since)
        return [_entry(row) for row in self._database.rows(chosen.order_by(ENTRIES.c.number))]

    def mark_told(self, number: int) -> None:
        """A sink was told of the entry of that number."""
        with self._database.transaction() as connection:
            connection.execute(ENTRIES.update().where(ENTRIES.c.number == number).values(is_told=True))

    def forget(self, *, before: float) -> None:
        """Delete canaries that came to an end before then, in seconds since 1970, with all their entries."""
        ends = [phase.value for phase in ENDS]
        ended = sa.select(ENTRIES.c.canary).where(ENTRIES.c.phase.in_(ends), ENTRIES.c.at < before)
        with self._database.transaction() as connection:
            numbers = connection.execute(ended).scalars().all()
            connection.execute(ENTRIES.delete().where(ENTRIES.c.canary.in_(numbers)))
            connection.execute(CANARIES.delete().where(CANARIES.c.number.in_(numbers)))


_NAMES = [column for column in CANARIES.c if column is not CANARIES.c.number]
_ENTRIES = sa.select(ENTRIES, *_NAMES).join(CANARIES, ENTRIES.c.canary == CANARIES.c.number)


def _is(canary: Canary) -> sa.ColumnElement[bool]:
    return sa.and_(
        CANARIES.c.namespace == canary.namespace,
        CANARIES.c.policy == canary.policy,
        CANARIES.c.began_microseconds == canary.microseconds,
    )


def _number(connection: sa.Connection, canary: Canary) -> int:
    """The canary's number, which it gets with its first entry."""
    found = connection.execute(sa.select(CANARIES.c.number).where(_is(canary))).scalar()
    if found is not None:
        return int(found)
    made = connection.execute(
        CANARIES.insert().values(
            namespace=canary.namespace,
            service=canary.service,
            policy=canary.policy,
            began_microseconds=canary.microseconds,
            specification=canary.specification,
        )
    )
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def _canary(row: sa.Row[tuple[object, ...]]) -> Canary:
    return Canary(
        namespace=row.namespace,
        service=row.service,
        policy=row.policy,
        began=row.began_microseconds / 1e6,
        specification=row.specification,
    )


def _entry(row: sa.Row[tuple[object, ...]]) -> Entry:
    return Entry(
        number=row.number, canary=_canary(row), progress=unpack(row.progress), is_decision=row.is_decision
    )
