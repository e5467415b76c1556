"""Tables of features: what goes in comes out, and what is none is told."""

from __future__ import annotations

import contextlib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelserve.drift.table import Kind, Row, Table, TableError

names = st.text(min_size=1, max_size=8)
values: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.NUMBER: st.floats(allow_nan=False, width=32),
    Kind.FLAG: st.booleans(),
    # NumPy's strings end at their last character that is not NUL.
    Kind.CATEGORY: st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
    Kind.VECTOR: hnp.arrays(np.float32, 3, elements=st.floats(-1, 1, width=32)),
}


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    kinds = draw(st.dictionaries(names, st.sampled_from(Kind), max_size=4))
    return draw(
        st.lists(
            st.fixed_dictionaries({}, optional={name: values[kind] for name, kind in kinds.items()}),
            max_size=6,
        )
    )


def same(one: Table, other: Table) -> bool:
    return (one.size, one.kinds, set(one.columns)) == (other.size, other.kinds, set(other.columns)) and all(
        np.array_equal(column, other.columns[name], equal_nan=one.kinds[name] in (Kind.NUMBER, Kind.VECTOR))
        for name, column in one.columns.items()
    )


@given(rows())
def test_there_and_back(given_rows: list[Row]) -> None:
    table = Table.from_rows(given_rows)
    assert same(Table.from_bytes(table.to_bytes()), table)
    for name, kind in table.kinds.items():
        told = [row[name] for row in given_rows if name in row]
        if kind is not Kind.FLAG:
            np.testing.assert_array_equal(table.known(name, kind), np.array(told, table.columns[name].dtype))


@given(rows(), st.integers(0, 6))
def test_parts_make_the_whole(given_rows: list[Row], cut: int) -> None:
    parts = [Table.from_rows(given_rows[:cut]), Table.from_rows(given_rows[cut:])]
    assert same(Table.concat(parts), Table.from_rows(given_rows))


def test_a_flag_that_a_table_has_not_is_false_throughout() -> None:
    table = Table.from_rows([{"length": 1.0}, {"length": 2.0}])
    assert table.known("has_PER", Kind.FLAG).tolist() == [False, False]
    assert len(table.known("confidence", Kind.NUMBER)) == 0


def test_a_feature_of_two_kinds_is_refused() -> None:
    with pytest.raises(TableError, match="'a' is both a number and a category"):
        Table.from_rows([{"a": 1.0}, {"a": "x"}])
    with pytest.raises(TableError, match="'a' is both a number and a flag"):
        Table.concat([Table.from_rows([{"a": 1.0}]), Table.from_rows([{"a": True}])])


def test_vectors_of_two_lengths_are_refused() -> None:
    short, long = ({"a": np.zeros(size, np.float32)} for size in (2, 3))
    with pytest.raises(TableError, match="different lengths: 2, 3"):
        Table.from_rows([short, long])
    with pytest.raises(TableError, match="different lengths: 2, 3"):
        Table.concat([Table.from_rows([short]), Table.from_rows([long])])


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(TableError):
        Table.from_bytes(packed)


@given(st.data())
def test_damaged_bytes_are_refused_or_read(data: st.DataObject) -> None:
    whole = Table.from_rows([{"a": 1.0, "b": "x", "c": True, "d": np.ones(2, np.float32)}] * 3).to_bytes()
    place, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    with contextlib.suppress(TableError):
        Table.from_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])


def test_a_table_keeps_the_version_of_its_features() -> None:
    table = replace(Table.from_rows([{"length": 1.0}, {"length": 2.0}]), version=7)
    assert Table.from_bytes(table.to_bytes()).version == 7
    assert table.take(slice(1)).version == 7
    assert Table.concat([table, table]).version == 7
    with pytest.raises(TableError, match=r"different versions make no whole: \[1, 7\]"):
        Table.concat([table, Table.from_rows([{"length": 1.0}])])


def test_a_table_of_before_versions_is_the_first_one_s() -> None:
    """As of the reference that is beside the sample model."""
    path = Path(__file__).parents[3] / "samples" / "bert-ner" / "reference.zip"
    with zipfile.ZipFile(path) as archive:
        assert Table.from_bytes(archive.read("features.npz")).version == 1
