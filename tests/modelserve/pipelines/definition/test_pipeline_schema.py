from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema_rs import Draft202012Validator

from modelserve.pipelines.definition.schema import FILE, schema, text

EXAMPLES = sorted((Path(__file__).parents[4] / "examples").iterdir())


def test_the_file_is_what_the_models_say() -> None:
    assert FILE.read_text("utf-8") == text()


def test_every_field_of_a_step_is_described() -> None:
    assert all("description" in field for field in schema()["$defs"]["Step"]["properties"].values())


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_it_accepts_the_examples(folder: Path) -> None:
    Draft202012Validator(schema()).validate(yaml.safe_load((folder / "pipeline.yaml").read_text("utf-8")))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "Workflow"},
        {"metadata": {}},
        {"metadata": {"name": "Not A Name"}},
        {"spec": {"steps": []}},
        {"spec": {"steps": [{"name": "s", "models": "m"}], "output": "x"}},
        {"spec": {"steps": [{"name": "s", "retry": {"limit": -1}}], "output": "x"}},
        {"more": 1},
    ],
)
def test_it_refuses_what_is_none(change: dict[str, Any]) -> None:
    example = yaml.safe_load((EXAMPLES[0] / "pipeline.yaml").read_text("utf-8"))
    assert not Draft202012Validator(schema()).is_valid({**example, **change})
