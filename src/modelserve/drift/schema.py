"""The tables of the store, in SQL that SQLite and PostgreSQL both have."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

# SQLite numbers rows by itself in INTEGER columns only.
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _component_columns() -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in ("namespace", "service", "name")]


REFERENCES = sa.Table(
    "modelserve_drift_references",
    METADATA,
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("model_digest", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("packed", sa.LargeBinary, nullable=False),
)

WINDOWS = sa.Table(
    "modelserve_drift_windows",
    METADATA,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    *_component_columns(),
    sa.Column("revision", sa.Text, nullable=False),
    sa.Column("model_digest", sa.Text, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),
    # Of a window that several processes might close.
    sa.Column("key", sa.Text, unique=True),
    sa.Column("opened", sa.Double),
    sa.Column("closed", sa.Double),
    sa.Column("samples", sa.Integer),
    # Of the source's last window alone: what the next revision is compared with, and reports are drawn from.
    sa.Column("features", sa.LargeBinary),
    sa.Index("modelserve_drift_windows_open", "is_open", "namespace", "service", "name"),
)

PARTS = sa.Table(
    "modelserve_drift_parts",
    METADATA,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("window", sa.ForeignKey(WINDOWS.c.number), nullable=False, index=True),
    sa.Column("opened", sa.Double, nullable=False),
    sa.Column("closed", sa.Double, nullable=False),
    sa.Column("features", sa.LargeBinary, nullable=False),
    sa.Column("excerpts", sa.LargeBinary, nullable=False),
)

CALLS = sa.Table(
    "modelserve_drift_calls",
    METADATA,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    *_component_columns(),
    sa.Column("call", sa.Text, nullable=False),
    sa.UniqueConstraint("namespace", "service", "name", "call"),
)

VERDICTS = sa.Table(
    "modelserve_drift_verdicts",
    METADATA,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("window", sa.ForeignKey(WINDOWS.c.number), nullable=False, index=True),
    sa.Column("baseline", sa.Text, nullable=False),
    sa.Column("reference_version", sa.Text, nullable=False),
    sa.Column("opened", sa.Double, nullable=False),
    sa.Column("closed", sa.Double, nullable=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("alarm", sa.Boolean, nullable=False),
    sa.Column("is_told", sa.Boolean, nullable=False),
    sa.Column("features", sa.Text, nullable=False),
    sa.Column("inputs", sa.LargeBinary, nullable=False),
)
