"""References: one file, tied to a model's weights."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.drift.baselines import References
from modelserve.drift.references import NoReference, Reference
from modelserve.drift.table import Table
from modelserve.drift.verdicts import UNKNOWN, Source

TABLE = Table.from_rows([{"length": float(n), "language": "en"} for n in range(20)])


def make(model: str = "names", digest: str = "sha256:a", *, created: int = 0) -> Reference:
    made = Reference.make(
        TABLE, model=model, model_digest=digest, origin="texts.txt", assets={"tokenizer.json": b"{}"}
    )
    return made if not created else Reference(f"{created}", model, digest, float(created), "", TABLE, {})


def test_there_and_back(tmp_path: Path) -> None:
    made = make()
    path = tmp_path / "reference.zip"
    path.write_bytes(made.to_bytes())
    read = Reference.load(path)
    np.testing.assert_array_equal(read.table.columns["length"], TABLE.columns["length"])
    assert (read.version, read.model, read.model_digest, read.origin, read.assets, read.created) == (
        made.version,
        "names",
        "sha256:a",
        "texts.txt",
        {"tokenizer.json": b"{}"},
        made.created,
    )
    assert read.to_bytes() == made.to_bytes(), "the same reference is the same bytes"


def test_a_person_can_look_into_it() -> None:
    with zipfile.ZipFile(io.BytesIO(make().to_bytes())) as archive:
        about = json.loads(archive.read("reference.json"))
    assert about["samples"] == 20
    assert about["features"] == {"length": "number", "language": "category"}


@given(st.binary(max_size=300))
def test_other_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(NoReference, match="a file of `modelserve drift reference` is accepted"):
        Reference.from_bytes(packed)


@given(st.data())
def test_damaged_ones_are_refused_or_read(data: st.DataObject) -> None:
    whole = make(created=1).to_bytes()
    place, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    with contextlib.suppress(NoReference):
        Reference.from_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])


def test_one_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make().to_bytes()
    monkeypatch.setattr("modelserve.drift.references.MAX_BYTES", 10)
    with pytest.raises(NoReference, match="unpacks to more than 10 bytes"):
        Reference.from_bytes(whole)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoReference, match=f"{tmp_path}/none cannot be read"):
        Reference.load(tmp_path / "none")


def test_the_newest_of_the_same_weights_counts(source: Callable[..., Source]) -> None:
    references = References([make(created=2), make(created=1), make(digest="sha256:b", created=9)])
    found = references.find(source())
    assert found is not None
    assert found.version == "2"
    references.add(make(created=3))
    found = references.find(source())
    assert found is not None
    assert found.version == "3"


def test_one_of_other_weights_is_refused(source: Callable[..., Source]) -> None:
    references = References([make(digest="sha256:b", created=9), make("others", "sha256:c", created=8)])
    assert references.find(source()) is None
    assert "of the weights sha256:a (of other weights there are: sha256:b)" in references.why_none(source())


def test_answers_that_do_not_tell_their_weights_are_known_by_the_service(
    source: Callable[..., Source],
) -> None:
    references = References([make(created=1), make("others", created=2)])
    found = references.find(source(digest=UNKNOWN))
    assert found is not None
    assert found.model == "names"
    unknown = source(service="third", digest=UNKNOWN)
    assert references.find(unknown) is None
    assert "no reference of a model 'third'" in references.why_none(unknown)
