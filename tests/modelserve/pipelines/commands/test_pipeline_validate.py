"""``modelserve pipeline validate``: what it prints, and its status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelserve.cli import main

EXAMPLES = Path(__file__).parents[4] / "examples"

WRONG = """\
metadata: {name: p}
spec:
  models: {m: {url: http://m}}
  steps:
    - {name: a, model: n, inputs: {x: inputs.y}}
  output: steps.a.output
"""


def validate(*arguments: str | Path) -> int:
    return main(["pipeline", "validate", *map(str, arguments)])


def test_nothing_is_said_of_what_has_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(*sorted(EXAMPLES.iterdir())) == 0
    assert capsys.readouterr() == ("", "")
    assert validate(EXAMPLES / "news-photo" / "pipeline.yaml", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_all_mistakes_of_all_files_are_printed_with_their_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "two" / "pipeline.yaml"
    other.parent.mkdir()
    for path in (one, other):
        path.write_text(WRONG)
    assert validate(one, other.parent, EXAMPLES / "news-photo") == 1
    told, errors = capsys.readouterr()
    assert told.splitlines() == [
        f"{path}:{said}"
        for path in (one, other)
        for said in (
            "5:24: model n is unknown; spec.models has m",
            "5:39: 'inputs.y': input y is unknown; there are none",
        )
    ]
    assert errors == ""


def test_mistakes_are_printed_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(WRONG)
    assert validate(path, "--json") == 1
    assert json.loads(capsys.readouterr().out)[0] == {
        "file": str(path),
        "line": 5,
        "column": 24,
        "message": "model n is unknown; spec.models has m",
    }


def test_what_cannot_be_read_hides_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(WRONG)
    assert validate(tmp_path / "none.yaml", path) == 2
    told, errors = capsys.readouterr()
    assert len(told.splitlines()) == 2
    missing = tmp_path / "none.yaml"
    assert errors == f"modelserve pipeline validate: {missing} cannot be read: No such file or directory\n"
    assert validate(path, tmp_path, "--json") == 2
    assert len(json.loads(capsys.readouterr().out)) == 2
