from __future__ import annotations

from typing import Any

import pytest

from modelserve.errors import InvalidInput
from modelserve.pipelines.definition.inputs import check_inputs
from modelserve.pipelines.definition.models import Pipeline


def pipeline(**inputs: Any) -> Pipeline:
    spec = {"inputs": inputs, "models": {}, "steps": [{"name": "s", "function": "f"}], "output": "x"}
    return Pipeline.model_validate({"metadata": {"name": "p"}, "spec": spec})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("any", None),
        ("any", {"a": [1]}),
        ("string", ""),
        ("bytes", "aGk="),
        ("integer", 3),
        ("number", 3),
        ("number", 0.5),
        ("boolean", False),
        ("object", {"a": None}),
        ("string[]", []),
        ("string[]", ["a", "b"]),
        ("number[][]", [[1, 0.5], []]),
        ("any[]", [1, "a", None]),
    ],
)
def test_what_is_declared_is_taken(kind: str, value: Any) -> None:
    assert check_inputs(pipeline(x={"type": kind}), {"x": value}) == {"x": value}


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("string", 3, "input x is 3; string is accepted"),
        ("string", None, "input x is None; string is accepted"),
        ("bytes", "no base64!", "base64 of bytes is accepted"),
        ("bytes[]", ["aGk=", 3], "base64 of bytes\\[\\] is accepted"),
        ("integer", 0.5, "integer is accepted"),
        ("integer", True, "integer is accepted"),
        ("number", "3", "number is accepted"),
        ("boolean", 0, "boolean is accepted"),
        ("object", [], "object is accepted"),
        ("string[]", "a", "string\\[\\] is accepted"),
        ("string[]", ["a", None], "string\\[\\] is accepted"),
        ("string[]", ["a", ["b"]], "string\\[\\] is accepted"),
    ],
)
def test_what_is_something_else_is_refused(kind: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_inputs(pipeline(x={"type": kind}), {"x": value})


def test_what_is_left_out_has_its_default() -> None:
    made = pipeline(x={"type": "string", "default": "a"}, y={"default": None}, z={"type": "string"})
    assert check_inputs(made, {"z": "b"}) == {"x": "a", "y": None, "z": "b"}
    with pytest.raises(InvalidInput, match="input z is missing; string is accepted"):
        check_inputs(made, {})


def test_what_is_unknown_is_told() -> None:
    with pytest.raises(InvalidInput, match="input 'y' is unknown; accepted are x"):
        check_inputs(pipeline(x={}), {"x": 1, "y": 1})
    with pytest.raises(InvalidInput, match="has no inputs"):
        check_inputs(pipeline(), {"y": 1})
