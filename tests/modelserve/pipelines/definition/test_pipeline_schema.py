from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.definition.schema import FILE, schema, text

EXAMPLES = sorted((Path(__file__).parents[4] / "examples").iterdir())


def test_the_file_is_what_the_models_say() -> None:
    assert FILE.read_text("utf-8") == text()


def test_every_field_of_a_step_is_described() -> None:
    assert all("description" in field for field in schema()["$defs"]["Step"]["properties"].values())


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_it_accepts_the_examples(folder: Path) -> None:
    Draft202012Validator(schema()).validate(yaml.safe_load((folder / "pipeline.yaml").read_text("utf-8")))


WRONG_STEPS: list[dict[str, Any]] = [
    {},
    {"model": "m", "models": "m"},
    {"model": "m", "retry": {"limit": -1}},
    {"model": "m", "retry": {"limits": 3}},
    {"model": "m", "function": "f"},
    {"model": "m", "ensemble": ["m", "n"]},
    {"ensemble": ["m"]},
    {"function": "f", "parameters": {"x": 1}},
    {"model": "m", "fallback": {}},
    {"model": "m", "fallback": {"model": "n", "value": None}},
    {"model": "m", "onFailure": "ignore"},
    {"model": "m", "timeoutSeconds": 0},
    {"model": "m", "parallel": 0},
    {"model": "m", "when": ""},
    {"model": "m", "needs": "other"},
]


def spec(**parts: Any) -> dict[str, Any]:
    return {"spec": {"steps": [{"name": "s", "function": "f"}], "output": "x", **parts}}


@pytest.mark.parametrize("change", [spec(), spec(steps=[{"name": "s", "model": "m", "function": None}])])
def test_it_accepts_the_least_that_a_definition_has(change: dict[str, Any]) -> None:
    Draft202012Validator(schema()).validate({"metadata": {"name": "p"}, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "Workflow"},
        {"metadata": {}},
        {"metadata": {"name": "Not A Name"}},
        {"more": 1},
        spec(steps=[]),
        spec(steps=[{"name": "a-b", "function": "f"}]),
        *(spec(steps=[{"name": "s", **step}]) for step in WRONG_STEPS),
        spec(models={"m": {}}),
        spec(models={"m": {"url": None}}),
        spec(models={"m": {"url": "m:8080"}}),
        spec(models={"m": {"inProcess": {"predictor": "bert_ner"}}}),
        spec(models={"a-b": {"url": "http://m"}}),
        spec(inputs={"x": {"type": "text"}}),
        spec(inputs={"a-b": {}}),
    ],
)
def test_it_refuses_what_is_none(change: dict[str, Any]) -> None:
    example = yaml.safe_load((EXAMPLES[0] / "pipeline.yaml").read_text("utf-8"))
    assert not Draft202012Validator(schema()).is_valid({**example, **change})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner, max_size=2),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.sampled_from(EXAMPLES), st.data())
def test_what_it_accepts_has_the_form_of_a_definition(folder: Path, data: st.DataObject) -> None:
    whole = part = yaml.safe_load((folder / "pipeline.yaml").read_text("utf-8"))
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        key = data.draw(st.sampled_from(keys))
        if part[key] and isinstance(part[key], dict | list) and data.draw(st.booleans()):
            part = part[key]
            continue
        if data.draw(st.booleans()):
            part[key] = data.draw(json_values)
        else:
            del part[key]
        break
    if Draft202012Validator(schema()).is_valid(whole):
        assert Pipeline.model_validate(whole)
