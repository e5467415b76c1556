"""A database by URL, whose errors are of one kind and say what is wrong in a line."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, SQLAlchemyError

from modelserve.errors import ModelServeError


class StoreError(ModelServeError):
    """The store cannot be opened, read or written."""


class RepeatedError(StoreError):
    """What is to be written is there."""


class Database:
    """Tables that are made where they are not there yet.

    Args:
        url: SQLAlchemy's, as ``sqlite:///drift.db`` or ``postgresql+psycopg://HOST/NAME``.
        tables: that it has.

    Raises:
        StoreError: there is no such database, or it cannot be written.
    """

    def __init__(self, url: str, tables: sa.MetaData) -> None:
        try:
            self._engine = sa.create_engine(url)
            if self._engine.dialect.name == "sqlite":
                sa.event.listen(self._engine, "connect", _use_write_ahead_log)
            _make(tables, self._engine)
        except (ArgumentError, SQLAlchemyError, ImportError, ValueError) as error:
            # A port that is none is a ValueError, and may be a part of a password.
            reason = "its port is no number" if isinstance(error, ValueError) else str(error)
            raise StoreError(
                f"the store cannot be opened ({reason}); a URL as sqlite:///drift.db or "
                "postgresql+psycopg://USER@HOST/NAME is accepted"
            ) from error

    def close(self) -> None:
        """Let go of its connections."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """All that is done with the connection, or nothing.

        Raises:
            RepeatedError: a row is there that may be there once.
            StoreError: the database cannot be used.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError as error:
            raise RepeatedError(f"it was written before: {error.orig}") from error
        except SQLAlchemyError as error:
            said = getattr(error, "orig", None) or error  # without the statement, which helps nobody here
            raise StoreError(f"the store cannot be used: {said}") from error

    def rows(self, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """What a statement gives.

        Raises:
            StoreError: the database cannot be used.
        """
        with self.transaction() as connection:
            return connection.execute(statement).all()


def _make(tables: sa.MetaData, engine: sa.Engine) -> None:
    """Make what is not there yet.

    Processes that begin together make the same tables: all but one fail, and find them when they look again.
    """
    for pause_seconds in (0.1, 0.3, 1.0):
        try:
            return tables.create_all(engine)
        except DatabaseError:
            time.sleep(pause_seconds)
    return tables.create_all(engine)


def _use_write_ahead_log(connection: Any, _: object) -> None:
    """Reports read while others write; a commit survives the process, if not always a power cut."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")  # several processes write, each when it is its turn
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
