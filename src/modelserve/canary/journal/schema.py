"""The journal's tables, in SQL that SQLite and PostgreSQL both have."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

# SQLite numbers rows by itself in INTEGER columns only.
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

CANARIES = sa.Table(
    "modelserve_canaries",
    METADATA,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("began_microseconds", sa.BigInteger, nullable=False),
    sa.Column("specification", sa.Text, nullable=False),
    sa.UniqueConstraint("namespace", "policy", "began_microseconds"),
    sa.Index("modelserve_canaries_service", "namespace", "service"),
)

ENTRIES = sa.Table(
    "modelserve_canary_entries",
    METADATA,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("canary", sa.ForeignKey(CANARIES.c.number), nullable=False, index=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("is_decision", sa.Boolean, nullable=False),
    sa.Column("is_told", sa.Boolean, nullable=False),
    sa.Column("progress", sa.LargeBinary, nullable=False),
    # What is still to be told is asked for every few seconds.
    sa.Index("modelserve_canary_entries_untold", "is_told", "is_decision", "at"),
)
