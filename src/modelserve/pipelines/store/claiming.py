"""Who goes on with a run: one at a time, however many processes think that it is theirs.

A claim stands by a lease, which ends when its owner does not renew it, and by a token. Each later claim has a
greater one, and whatever is written under a claim is written only while its token is the last: an owner that
slept through its lease finds out with its next word.
"""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa

from modelserve.database import Database, RepeatedError
from modelserve.pipelines.course import Outcome, Unit
from modelserve.pipelines.definition.expressions import Json
from modelserve.pipelines.store.outbox import enclose
from modelserve.pipelines.store.runs import Claim, LeaseLost, RunStatus, run_of, to_text
from modelserve.pipelines.store.schema import RUNS, UNITS

logger = logging.getLogger(__name__)


class Claims:
    """What is written of runs by those who go on with them. All methods raise ``StoreError``.

    Args:
        database: with the tables of runs.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, run_id: str, owner: str, *, now: float, lease_seconds: float) -> Claim | None:
        """Take a run that is queued, or whose lease ran out; None where there is none such.

        Args:
            run_id: of the run.
            owner: who takes it.
            now: in seconds since 1970.
            lease_seconds: how long the claim stands unless it is renewed.
        """
        is_free = RUNS.c.status == RunStatus.QUEUED.value
        has_run_out = sa.and_(RUNS.c.status == RunStatus.RUNNING.value, RUNS.c.leased_until < now)
        taken = (
            RUNS.update()
            .where(RUNS.c.id == run_id, is_free | has_run_out)
            .values(
                status=RunStatus.RUNNING.value,
                owner=owner,
                token=RUNS.c.token + 1,
                leased_until=now + lease_seconds,
                began=sa.func.coalesce(RUNS.c.began, now),
                begun_in_vain=RUNS.c.begun_in_vain + 1,
            )
            .returning(RUNS)
        )
        with self._database.transaction() as connection:
            row = connection.execute(taken).first()
        return None if row is None else Claim(run_of(row), owner, row.token, lease_seconds, row.begun_in_vain)

    def renew(self, claim: Claim, *, now: float) -> bool:
        """Let the claim stand from now on as long as at first; whether the run is to be cancelled.

        Raises:
            LeaseLost: the claim is void.
        """
        with self._database.transaction() as connection:
            return bool(_write(connection, claim, leased_until=now + claim.lease_seconds).cancel_asked)

    def keep(self, claim: Claim, unit: Unit, outcome: Outcome) -> None:
        """Record what came of a unit; it is there once this returns.

        A unit that is there already was recorded before: that was done although it seemed to fail, as when a
        connection breaks before the answer.

        Raises:
            InvalidInput: the output is no JSON.
            LeaseLost: the claim is void.
        """
        output = to_text(outcome.output, f"the output of step {unit.step}")
        try:
            with self._database.transaction() as connection:
                _write(connection, claim, begun_in_vain=0)
                connection.execute(
                    UNITS.insert().values(
                        run=claim.run.id,
                        step=unit.step,
                        item=unit.index,
                        status=outcome.status.value,
                        output=output,
                        error=_printable(outcome.error),
                        tries=outcome.tries,
                    )
                )
        except RepeatedError:
            logger.warning("step %s of run %s was recorded before", unit.step, claim.run.id)

    def finish(
        self, claim: Claim, status: RunStatus, *, output: Json = None, error: str = "", now: float
    ) -> None:
        """End the run, and put the notice of it into the outbox.

        Args:
            claim: of the run.
            status: one of ``ENDS``.
            output: null where there is none.
            error: why it failed.
            now: in seconds since 1970.

        Raises:
            InvalidInput: the output is no JSON.
            LeaseLost: the claim is void, or the run has ended.
        """
        with self._database.transaction() as connection:
            row = _write(
                connection,
                claim,
                status=status.value,
                output=to_text(output, "the output"),
                error=_printable(error),
                ended=now,
                owner=None,
                leased_until=None,
            )
            enclose(connection, [row])

    def release(self, claim: Claim, *, now: float) -> None:
        """Give the run back to the queue, as it was not at fault.

        Raises:
            LeaseLost: the claim is void.
        """
        with self._database.transaction() as connection:
            _write(
                connection,
                claim,
                status=RunStatus.QUEUED.value,
                owner=None,
                leased_until=None,
                begun_in_vain=RUNS.c.begun_in_vain - 1,
                woken=now,
            )


def _write(connection: sa.Connection, claim: Claim, **values: Any) -> sa.Row[Any]:
    """Change the run under its claim; the row as it is then.

    PostgreSQL keeps the row locked until the transaction ends, and SQLite the whole database: nobody claims
    the run meanwhile.

    Raises:
        LeaseLost: the claim is void.
    """
    is_claimed = sa.and_(
        RUNS.c.id == claim.run.id,
        RUNS.c.token == claim.token,
        RUNS.c.status == RunStatus.RUNNING.value,
    )
    row = connection.execute(RUNS.update().where(is_claimed).values(**values).returning(RUNS)).first()
    if row is None:
        raise LeaseLost(f"run {claim.run.id} is no longer {claim.owner}'s to go on with")
    return row


def _printable(text: str) -> str:
    """What PostgreSQL takes as a text: errors quote what models answered, whatever is in it."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
