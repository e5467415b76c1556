"""The tables of runs, in SQL that SQLite and PostgreSQL both have."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

RUNS = sa.Table(
    "modelserve_pipeline_runs",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("pipeline", sa.Text, nullable=False),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("inputs", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("output", sa.Text),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("webhook", sa.Text),
    sa.Column("traceparent", sa.Text),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("began", sa.Double),
    sa.Column("ended", sa.Double),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("cancel_asked", sa.Boolean, nullable=False),
    # The claim: whose, which, and until when. A token never comes again, whatever becomes of the run.
    sa.Column("owner", sa.Text),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("leased_until", sa.Double),
    sa.Column("begun_in_vain", sa.Integer, nullable=False),
    # When somebody was last told that there is something to do with it.
    sa.Column("woken", sa.Double, nullable=False),
    sa.UniqueConstraint("pipeline", "idempotency_key"),
    # What is late is asked for every few seconds; the rest is for lists and for forgetting.
    sa.Index("modelserve_pipeline_runs_late", "status", "woken"),
    sa.Index("modelserve_pipeline_runs_created", "created"),
    sa.Index("modelserve_pipeline_runs_ended", "ended"),
)

UNITS = sa.Table(
    "modelserve_pipeline_units",
    METADATA,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("item", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("output", sa.Text),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
)

NOTICES = sa.Table(
    "modelserve_pipeline_notices",
    METADATA,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("webhook", sa.Text, nullable=False),
    sa.Column("pipeline", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    # As it was at that end: by the time that the notice is sent, the run may be in its next round.
    sa.Column("ended_as", sa.Text, nullable=False),
    sa.Column("output", sa.Text),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("is_told", sa.Boolean, nullable=False),
    sa.Column("due", sa.Double, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Index("modelserve_pipeline_notices_due", "is_told", "due"),
)
