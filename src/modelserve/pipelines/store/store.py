"""The store of runs: SQLite in a file by default, PostgreSQL by URL.

Several processes use it at once. What depends on how a run is, is one statement that says so; nothing is read
first and written then.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from modelserve.database import Database, RepeatedError
from modelserve.pipelines.course import Outcome, Status, Unit
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.store.claiming import Claims
from modelserve.pipelines.store.outbox import Outbox, enclose
from modelserve.pipelines.store.recovering import to_redo
from modelserve.pipelines.store.runs import ENDS, KeyReused, Run, RunStatus, from_text, run_of, to_text
from modelserve.pipelines.store.schema import METADATA, NOTICES, RUNS, UNITS

_FORGOTTEN_AT_ONCE = 500
"""Runs in a transaction: others wait for it on SQLite."""


class RunStore(Claims):
    """All runs.

    Times are in seconds since 1970. All methods raise ``StoreError`` where the database cannot be used.

    Args:
        url: SQLAlchemy's, as ``sqlite:///runs.db`` or ``postgresql+psycopg://HOST/NAME``.

    Raises:
        StoreError: there is no such database, or it cannot be written.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url, METADATA))
        self.outbox = Outbox(self._database)

    def close(self) -> None:
        """Let go of its connections."""
        self._database.close()

    def add(self, run: Run) -> Run:
        """Queue a run; or the one that was queued before with the same pipeline, key and inputs.

        Raises:
            InvalidInput: the inputs are no JSON.
            KeyReused: the key came before with other inputs.
        """
        inputs = to_text(dict(run.inputs), "what a run is given")
        row = {
            "id": run.id,
            "pipeline": run.pipeline,
            "definition": run.definition,
            "inputs": inputs,
            "created": run.created,
            "status": RunStatus.QUEUED.value,
            "error": "",
            "webhook": run.webhook,
            "traceparent": run.traceparent,
            "idempotency_key": run.idempotency_key,
            "round": 1,
            "cancel_asked": False,
            "token": 0,
            "begun_in_vain": 0,
            "woken": run.created,
        }
        same = sa.and_(RUNS.c.pipeline == run.pipeline, RUNS.c.idempotency_key == run.idempotency_key)
        while True:
            try:
                with self._database.transaction() as connection:
                    connection.execute(RUNS.insert().values(**row))
                return replace(run, inputs=from_text(inputs))
            except RepeatedError:
                if run.idempotency_key is None:
                    raise
            earlier = self._one(sa.select(RUNS).where(same))
            if earlier is None:
                continue  # it was forgotten between the two
            if earlier.inputs != from_text(inputs):
                raise KeyReused(
                    f"the idempotency key {run.idempotency_key!r} came before with other inputs, for run "
                    f"{earlier.id}; the same inputs, or another key, are accepted"
                )
            return earlier

    def get(self, run_id: str) -> Run | None:
        """A run; None where there is none of that id."""
        return self._one(sa.select(RUNS).where(RUNS.c.id == run_id))

    def record(self, run_id: str) -> dict[Unit, Outcome]:
        """What is recorded of a run's units."""
        with self._database.transaction() as connection:
            return _record(connection, run_id)

    def runs(
        self, *, pipeline: str | None = None, status: RunStatus | None = None, limit: int = 100
    ) -> list[Run]:
        """Runs, the newest first.

        Args:
            pipeline: of this one only.
            status: that are there only.
            limit: the most of them.
        """
        chosen = sa.select(RUNS).order_by(RUNS.c.created.desc(), RUNS.c.id.desc()).limit(limit)
        if pipeline is not None:
            chosen = chosen.where(RUNS.c.pipeline == pipeline)
        if status is not None:
            chosen = chosen.where(RUNS.c.status == status.value)
        return [run_of(row) for row in self._database.rows(chosen)]

    def unfinished(self) -> int:
        """How many runs have not ended."""
        (row,) = self._database.rows(
            sa.select(sa.func.count()).select_from(RUNS).where(RUNS.c.status.in_(_UNFINISHED))
        )
        return int(row[0])

    def cancel(self, run_id: str, *, now: float) -> Run | None:
        """End a run that nobody goes on with, at once; ask whoever does. One that has ended stays as it is.

        Returns:
            The run as it is then; None where there is none of that id.
        """
        this = RUNS.c.id == run_id
        is_free = (RUNS.c.status == RunStatus.QUEUED.value) | (RUNS.c.leased_until < now)
        ask = RUNS.update().where(this, RUNS.c.status.in_(_UNFINISHED)).values(cancel_asked=True)
        # The asking comes first: it locks the row, so that nobody claims or releases it before the ending.
        end = (
            RUNS.update()
            .where(this, RUNS.c.status.in_(_UNFINISHED), is_free)
            .values(status=RunStatus.CANCELLED.value, ended=now, owner=None, leased_until=None)
            .returning(RUNS)
        )
        with self._database.transaction() as connection:
            connection.execute(ask)
            enclose(connection, connection.execute(end).all())
        return self.get(run_id)

    def resend(self, run_id: str, *, now: float) -> Run | None:
        """Queue a failed run again, to go on from what failed: what was done well stays.

        Returns:
            The run, queued; None where there is no failed one of that id.
        """
        queued = (
            RUNS.update()
            .where(RUNS.c.id == run_id, RUNS.c.status == RunStatus.FAILED.value)
            .values(
                status=RunStatus.QUEUED.value,
                round=RUNS.c.round + 1,
                output=None,
                error="",
                began=None,
                ended=None,
                cancel_asked=False,
                begun_in_vain=0,
                woken=now,
            )
            .returning(RUNS)
        )
        with self._database.transaction() as connection:
            row = connection.execute(queued).first()
            if row is None:
                return None
            pipeline = Pipeline.model_validate_json(row.definition)
            for unit in to_redo(pipeline, _record(connection, run_id)):
                of_unit = sa.and_(UNITS.c.step == unit.step, UNITS.c.item == unit.index)
                connection.execute(UNITS.delete().where(UNITS.c.run == run_id, of_unit))
            return run_of(row)

    def overdue(self, *, now: float, late_seconds: float, limit: int) -> list[str]:
        """Runs that nobody goes on with although there is something to do, which are woken with this.

        So each of them is told to one caller, until it is late again.

        Args:
            now: in seconds since 1970.
            late_seconds: how long a queued run may wait for its wake-up to come through the queue.
            limit: the most of them.
        """
        is_queued = RUNS.c.status == RunStatus.QUEUED.value
        has_run_out = sa.and_(RUNS.c.status == RunStatus.RUNNING.value, RUNS.c.leased_until < now)
        is_late = sa.and_(is_queued | has_run_out, RUNS.c.woken < now - late_seconds)
        # Locked where PostgreSQL may have several callers at once; as a subquery, it would be chosen anew for
        # each row.
        chosen = (
            sa.select(RUNS.c.id)
            .where(is_late)
            .order_by(RUNS.c.woken)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte()
        )
        these = RUNS.c.id.in_(sa.select(chosen.c.id))
        woken = RUNS.update().where(these).values(woken=now).returning(RUNS.c.id)
        with self._database.transaction() as connection:
            return [row.id for row in connection.execute(woken)]

    def forget(self, *, before: float) -> int:
        """Delete runs that ended before then with all that is recorded of them; how many they were."""
        is_old = sa.and_(RUNS.c.status.in_([one.value for one in ENDS]), RUNS.c.ended < before)
        chosen = sa.select(RUNS.c.id).where(is_old).limit(_FORGOTTEN_AT_ONCE)
        # The runs first: who sends one again waits then, and finds that there is none.
        delete = RUNS.delete().where(RUNS.c.id.in_(chosen), is_old).returning(RUNS.c.id)
        forgotten = 0
        while True:
            with self._database.transaction() as connection:
                ids = [row.id for row in connection.execute(delete)]
                connection.execute(UNITS.delete().where(UNITS.c.run.in_(ids)))
                connection.execute(NOTICES.delete().where(NOTICES.c.run.in_(ids)))
            forgotten += len(ids)
            if len(ids) < _FORGOTTEN_AT_ONCE:
                return forgotten

    def _one(self, chosen: sa.Select[tuple[object, ...]]) -> Run | None:
        return next((run_of(row) for row in self._database.rows(chosen)), None)


_UNFINISHED = (RunStatus.QUEUED.value, RunStatus.RUNNING.value)


def _record(connection: sa.Connection, run_id: str) -> dict[Unit, Outcome]:
    rows = connection.execute(sa.select(UNITS).where(UNITS.c.run == run_id))
    return {
        Unit(row.step, row.item): Outcome(Status(row.status), from_text(row.output), row.error, row.tries)
        for row in rows
    }
