"""Samples as columns: what features become, windows collect, references keep and detectors compare."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeAlias
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from modelserve.errors import ModelServeError

Column: TypeAlias = npt.NDArray[Any]
Value: TypeAlias = "float | bool | str | npt.NDArray[np.float32]"
Row: TypeAlias = Mapping[str, Value]
"""The features of one text or image by their names. One that cannot be told of this input is left out."""

FEATURES_VERSION = 1
"""Raised when a feature means something else than before: an older table's values say nothing of it then."""


DAMAGE = (
    BadZipFile,
    EOFError,
    KeyError,
    MemoryError,  # a header that tells of more than there is
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What ``zipfile`` and NumPy raise of an archive that is none, or is damaged."""


class Kind(str, Enum):
    """What a feature is, and so how it is compared. Values stand for themselves in stored tables."""

    NUMBER = "number"  # float64 [n]; NaN where it cannot be told
    FLAG = "flag"  # bool [n]; False where it cannot be told
    CATEGORY = "category"  # str [n]; "" where it cannot be told
    VECTOR = "vector"  # float32 [n, d]; NaN where it cannot be told


class TableError(ModelServeError):
    """Bytes that are no table, or rows that make none."""


@dataclass(frozen=True, slots=True)
class Table:
    """Features of ``size`` texts or images, in the order in which they came.

    ``version`` is the ``FEATURES_VERSION`` of what told them.
    """

    size: int
    kinds: Mapping[str, Kind]
    columns: Mapping[str, Column]
    version: int = FEATURES_VERSION

    @classmethod
    def from_rows(cls, rows: Sequence[Row]) -> Table:
        """A table with every feature that any row has.

        Raises:
            TableError: a feature is of one kind in one row and of another in the next.
        """
        kinds: dict[str, Kind] = {}
        for row in rows:
            for name, value in row.items():
                kind = _kind_of(value)
                if kinds.setdefault(name, kind) is not kind:
                    raise TableError(f"feature {name!r} is both a {kinds[name].value} and a {kind.value}")
        columns = {name: _column(kind, [row.get(name) for row in rows], name) for name, kind in kinds.items()}
        return cls(len(rows), kinds, columns)

    @classmethod
    def concat(cls, tables: Iterable[Table]) -> Table:
        """The rows of all tables, one table after the other; features that one lacks are missing there.

        Raises:
            TableError: a feature is of different kinds, or of different lengths, in two of them, or they are
                of different versions.
        """
        whole = list(tables)
        versions = {table.version for table in whole} or {FEATURES_VERSION}
        if len(versions) > 1:
            raise TableError(f"tables of different versions make no whole: {sorted(versions)}")
        kinds: dict[str, Kind] = {}
        for table in whole:
            for name, kind in table.kinds.items():
                if kinds.setdefault(name, kind) is not kind:
                    raise TableError(f"feature {name!r} is both a {kinds[name].value} and a {kind.value}")
        columns = {}
        for name, kind in kinds.items():
            shapes = {table.columns[name].shape[1:] for table in whole if name in table.columns}
            shape = _one_shape(name, shapes)
            columns[name] = np.concatenate(
                [
                    table.columns[name] if name in table.columns else _missing(kind, table.size, shape)
                    for table in whole
                ]
            )
        return cls(sum(table.size for table in whole), kinds, columns, versions.pop())

    def take(self, rows: npt.NDArray[np.intp] | slice) -> Table:
        """The rows chosen, by their places or by a slice."""
        chosen = {name: column[rows] for name, column in self.columns.items()}
        size = len(range(self.size)[rows]) if isinstance(rows, slice) else len(rows)
        return replace(self, size=size, columns=chosen)

    def known(self, name: str, kind: Kind) -> Column:
        """The values of a feature where it could be told.

        A table without a flag has it False throughout, and knows nothing of any other feature it lacks.
        """
        column = self.columns.get(name)
        if column is None:
            return np.zeros(self.size if kind is Kind.FLAG else 0, np.bool_)
        if kind is Kind.NUMBER:
            numbers: Column = column[~np.isnan(column)]
            return numbers
        if kind is Kind.CATEGORY:
            names: Column = column[column != ""]
            return names
        if kind is Kind.VECTOR:
            vectors: Column = column[~np.isnan(column).any(axis=1)]
            return vectors
        return column

    def to_bytes(self) -> bytes:
        """NumPy's ``npz``, compressed, without pickles."""
        stream = io.BytesIO()
        # Names are the models' own, and may be such as no file of an archive can have.
        about = json.dumps({"size": self.size, "kinds": dict(self.kinds), "version": self.version})
        columns = {f"column_{place}": self.columns[name] for place, name in enumerate(self.kinds)}
        np.savez_compressed(
            stream, allow_pickle=False, about=np.frombuffer(about.encode(), np.uint8), **columns
        )
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, packed: bytes) -> Table:
        """The table of those bytes.

        Raises:
            TableError: they are none that ``to_bytes`` gives.
        """
        try:
            with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
                about = json.loads(stored["about"].tobytes())
                size, kinds = int(about["size"]), {name: Kind(kind) for name, kind in about["kinds"].items()}
                columns = {name: stored[f"column_{place}"] for place, name in enumerate(kinds)}
                version = int(about.get("version", 1))  # the first one was not told
        except DAMAGE as error:
            raise TableError(f"these bytes are no table of features ({error})") from error
        if any(len(column) != size for column in columns.values()):
            raise TableError(f"a column of this table has not the {size} rows that it says it has")
        return cls(size, kinds, columns, version)


def _kind_of(value: Value) -> Kind:
    if isinstance(value, (bool, np.bool_)):
        return Kind.FLAG
    if isinstance(value, str):
        return Kind.CATEGORY
    return Kind.VECTOR if isinstance(value, np.ndarray) else Kind.NUMBER


def _column(kind: Kind, values: Sequence[Value | None], name: str) -> Column:
    if kind is Kind.NUMBER:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    if kind is Kind.FLAG:
        return np.array([bool(value) for value in values], np.bool_)
    if kind is Kind.CATEGORY:
        return np.array([value or "" for value in values], np.str_)
    shape = _one_shape(name, {value.shape for value in values if isinstance(value, np.ndarray)})
    missing = np.full(shape, np.nan, np.float32)
    return np.stack([missing if value is None else value for value in values]).astype(np.float32)


def _one_shape(name: str, shapes: set[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape that all values of a feature have."""
    one, *others = sorted(shapes)
    if others:
        lengths = ", ".join("x".join(map(str, shape)) for shape in (one, *others))
        raise TableError(f"feature {name!r} has vectors of different lengths: {lengths}")
    return one


def _missing(kind: Kind, size: int, shape: tuple[int, ...]) -> Column:
    if kind is Kind.FLAG:
        return np.zeros(size, np.bool_)
    if kind is Kind.CATEGORY:
        return np.full(size, "", np.str_)
    return np.full((size, *shape), np.nan, np.float64 if kind is Kind.NUMBER else np.float32)
