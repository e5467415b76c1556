"""Ends of runs that somebody is to be told of: they wait in the store until a receiver takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from modelserve.database import Database
from modelserve.pipelines.definition.expressions import Json
from modelserve.pipelines.store.runs import RunStatus, from_text
from modelserve.pipelines.store.schema import NOTICES


@dataclass(frozen=True, slots=True)
class Notice:
    """The end of one round of a run.

    Attributes:
        run: its id.
        round: that ended.
        webhook: URL to tell.
        pipeline: its name.
        at: when it ended, in seconds since 1970.
        status: how it ended.
        output: null where there is none.
        error: why it failed; empty where it did not.
        tries: of telling it, this one included.
    """

    run: str
    round: int
    webhook: str
    pipeline: str
    at: float
    status: RunStatus
    output: Json
    error: str
    tries: int


class Outbox:
    """Notices that no receiver took yet. All methods raise ``StoreError``.

    Args:
        database: with the table of notices.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, *, now: float, since: float, hold_seconds: float, limit: int) -> list[Notice]:
        """Notices that are due, for who calls alone until their hold is over.

        Args:
            now: in seconds since 1970.
            since: of ends then or later, likewise; older ones are given up.
            hold_seconds: after which they are another's to send, unless they are told or put off.
            limit: the most of them.
        """
        is_due = sa.and_(~NOTICES.c.is_told, NOTICES.c.due <= now, NOTICES.c.at >= since)
        # Locked where PostgreSQL may have several callers at once; as a subquery, it would be chosen anew for
        # each row.
        chosen = (
            sa.select(NOTICES.c.run, NOTICES.c.round)
            .where(is_due)
            .order_by(NOTICES.c.due)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte()
        )
        taken = (
            NOTICES.update()
            .where(sa.tuple_(NOTICES.c.run, NOTICES.c.round).in_(sa.select(chosen.c.run, chosen.c.round)))
            .values(due=now + hold_seconds, tries=NOTICES.c.tries + 1)
            .returning(NOTICES)
        )
        with self._database.transaction() as connection:
            return [_notice(row) for row in connection.execute(taken)]

    def mark_told(self, notice: Notice) -> None:
        """Its receiver took it."""
        self._set(notice, is_told=True)

    def put_off(self, notice: Notice, *, until: float) -> None:
        """It is due then, in seconds since 1970."""
        self._set(notice, due=until)

    def _set(self, notice: Notice, **values: Any) -> None:
        chosen = sa.and_(NOTICES.c.run == notice.run, NOTICES.c.round == notice.round)
        with self._database.transaction() as connection:
            connection.execute(NOTICES.update().where(chosen).values(**values))


def enclose(connection: sa.Connection, ended: Sequence[sa.Row[Any]]) -> None:
    """Put a notice of each run that has just ended and has a webhook into the outbox.

    Args:
        connection: within the transaction that ends them.
        ended: rows of the table of runs.
    """
    rows = [
        {
            "run": row.id,
            "round": row.round,
            "webhook": row.webhook,
            "pipeline": row.pipeline,
            "at": row.ended,
            "ended_as": row.status,
            "output": row.output,
            "error": row.error,
            "is_told": False,
            "due": row.ended,
            "tries": 0,
        }
        for row in ended
        if row.webhook is not None
    ]
    if rows:
        connection.execute(NOTICES.insert(), rows)


def _notice(row: sa.Row[Any]) -> Notice:
    return Notice(
        run=row.run,
        round=row.round,
        webhook=row.webhook,
        pipeline=row.pipeline,
        at=row.at,
        status=RunStatus(row.ended_as),
        output=from_text(row.output),
        error=row.error,
        tries=row.tries,
    )
