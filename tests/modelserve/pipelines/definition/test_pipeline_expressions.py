"""What is said of expressions before a run, held against what they do in one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modelserve.errors import InvalidInput
from modelserve.pipelines.definition.expressions import compiled, evaluate
from modelserve.pipelines.definition.inference import Misfit, infer
from modelserve.pipelines.definition.order import looked_at
from modelserve.pipelines.definition.places import DefinitionError
from modelserve.pipelines.definition.reading import parse_pipeline
from modelserve.pipelines.definition.shapes import Shape, declared, is_of

KINDS = {
    "text": "string",
    "texts": "string[]",
    "count": "integer",
    "counts": "integer[]",
    "share": "number",
    "shares": "number[]",
    "deep": "number[][]",
    "things": "object[]",
    "is_on": "boolean",
    "what": "any",
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from([0.5, -2.25])
    | st.text("ab1", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=5,
)


def of_kind(kind: str) -> st.SearchStrategy[Any]:
    if kind.endswith("[]"):
        return st.lists(of_kind(kind[:-2]), max_size=3)
    return {
        "string": st.text("ab1", max_size=2),
        "integer": st.integers(-9, 9),
        "number": st.sampled_from([0.5, -2.25, 3]),
        "boolean": st.booleans(),
        "object": st.dictionaries(st.sampled_from("xy"), json_values, max_size=2),
    }.get(kind, json_values)


OUTPUTS = {"a": {"y": "string[]", "z": "integer"}, "b": {"y": "number[][]"}}

atoms = st.sampled_from(
    [
        *(f"inputs.{name}" for name in KINDS),
        "steps.a.output",
        "steps.a.output.y",
        "steps.a.status",
        "steps.b.output.y",
        "steps.b.{x: output, y: status}",
        "steps.a.output.[y, z]",
        "'text'",
        "`3`",
        "`0.5`",
        '`[1, "a"]`',
        '`{"x": [1]}`',
        "`null`",
    ]
)

one_more = st.sampled_from(
    [
        "({0})[0]",
        "({0})[-1]",
        "({0})[]",
        "({0})[*]",
        "({0})[1:]",
        "({0}).x",
        "({0}).*",
        "({0})[*].x",
        "({0})[].x",
        "({0})[?x]",
        "({0})[?@]",
        "({0})[?x == `1`].y",
        "({0}) | [0]",
        "({0}).{{x: @, y: x}}",
        "({0}).[x, y]",
        "({0}).keys(@)",
        "!({0})",
        "length({0})",
        "sum({0})",
        "avg({0})",
        "max({0})",
        "min({0})",
        "abs({0})",
        "ceil({0})",
        "floor({0})",
        "sort({0})",
        "reverse({0})",
        "keys({0})",
        "values({0})",
        "type({0})",
        "to_array({0})",
        "to_string({0})",
        "to_number({0})",
        "from_json(to_string({0}))",
        "map(&x, {0})",
        "map(&[0], {0})",
        "sort_by({0}, &x)",
        "max_by({0}, &x)",
        "join('', {0})",
    ]
)

two_more = st.sampled_from(
    [
        "({0}) || ({1})",
        "({0}) && ({1})",
        "({0}) == ({1})",
        "({0}) < ({1})",
        "[{0}, {1}]",
        "{{x: {0}, y: {1}}}",
        "not_null({0}, {1})",
        "merge({0}, {1})",
        "contains({0}, {1})",
        "starts_with({0}, {1})",
    ]
)

expressions = st.recursive(
    atoms,
    lambda inner: st.builds(str.format, one_more, inner) | st.builds(str.format, two_more, inner, inner),
    max_leaves=4,
)

runs = st.fixed_dictionaries(
    {
        "inputs": st.fixed_dictionaries({name: of_kind(kind) for name, kind in KINDS.items()}),
        "steps": st.fixed_dictionaries(
            {
                name: st.fixed_dictionaries(
                    {
                        "status": st.just("succeeded"),
                        "error": st.none(),
                        "output": st.fixed_dictionaries(
                            {tensor: of_kind(kind) for tensor, kind in outputs.items()}
                        ),
                    }
                )
                for name, outputs in OUTPUTS.items()
            }
        ),
    }
)


def shape_of_run() -> Shape:
    def fields(**inside: Shape) -> Shape:
        return Shape("object", fields=inside)

    def kinds(names: Mapping[str, str]) -> Shape:
        return fields(**{name: declared(kind) for name, kind in names.items()})

    text = Shape("string")
    steps = {
        name: fields(status=text, error=text, output=kinds(outputs)) for name, outputs in OUTPUTS.items()
    }
    return fields(inputs=kinds(KINDS), steps=fields(**steps))


def agrees(value: Any, shape: Shape) -> bool:
    """Whether a value is what was said of it; null always is."""
    if value is None:
        return True
    if shape.item is not None:
        return isinstance(value, list) and all(agrees(one, shape.item) for one in value)
    if shape.fields is not None:
        return isinstance(value, dict) and all(
            agrees(one, shape.fields[name]) for name, one in value.items() if name in shape.fields
        )
    return is_of(value, shape)


@settings(deadline=None, max_examples=500)
@given(expressions, runs)
def test_what_an_expression_gives_is_of_the_kind_that_was_told(expression: str, run: dict[str, Any]) -> None:
    try:
        shape = infer(compiled(expression).parsed, shape_of_run())
        value = evaluate(expression, run)
    except (Misfit, InvalidInput):
        assume(False)
    assert agrees(value, shape), (value, str(shape))


class Seen(dict[str, Any]):
    """Steps that tell which of them were looked at."""

    def __init__(self, steps: Mapping[str, Any]) -> None:
        super().__init__(steps)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)


@settings(deadline=None, max_examples=500)
@given(expressions, runs)
def test_an_expression_looks_at_no_step_but_those_that_were_told(
    expression: str, run: dict[str, Any]
) -> None:
    steps = Seen(run["steps"])
    with suppress(InvalidInput):
        evaluate(expression, {**run, "steps": steps})
    assert steps.names <= looked_at(expression)


DEFINITION = """\
metadata: {name: p}
spec:
  inputs: {things: {type: "object[]"}, text: {type: string}}
  models: {m: {url: http://m}}
  steps:
    - {name: a, model: m, forEach: inputs.things, inputs: {x: item}}
  output: """

pieces = st.lists(
    st.sampled_from(
        [
            *"abx.*[]{}()@&|!<>=?:,-'\"`\\ 0123456789é\n",
            "inputs",
            "steps.a",
            ".output",
            "length(",
            "map(&",
            "||",
            "==",
            "[?",
            "`1`",
            "\\u00",
            "\\ud800",
            "9" * 5000,
            "(" * 400,
            "!" * 400,
        ]
    ),
    max_size=12,
).map("".join)


@settings(deadline=None)
@given(pieces, st.sampled_from(["plain", "quoted", "block"]))
def test_whatever_an_expression_is_is_read_or_refused(text: str, style: str) -> None:
    written = {
        "plain": text,
        "quoted": "'{}'".format(text.replace("'", "''")),
        "block": "|\n    {}".format(text.replace("\n", "\n    ")),
    }[style]
    with suppress(DefinitionError):
        pipeline = parse_pipeline(f"{DEFINITION}{written}\n", "p.yaml")
        with suppress(InvalidInput):
            evaluate(pipeline.spec.output, {"inputs": {"things": [], "text": "a"}, "steps": {"a": {}}})


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("inputs.text }", "7:23"),
        ("'inputs.text }'", "7:24"),
        ("'inputs.things[?a == ''b'' }'", "7:38"),
        ('"inputs.things[?\\u0061 == \\"b\\" }"', "7:43"),
        ("[inputs.text, 'inputs.text }']", "7:38"),
        ("|\n    inputs.things\n      | }\n", "9:9"),
        (">-\n    inputs.things\n    | }\n", "9:7"),
        ("| # why\n    inputs.things |", "8:19"),
        ("inputs.things\n    | }\n", "8:7"),
        ("'inputs.things\n    | }'\n", "8:7"),
        ('"inputs.things \\\n    | }"\n', "8:7"),
        ("'inputs.things |'", "7:26"),
        ("'[inputs.text, `text`]'", "7:27"),
        ("'`NaN`'", "7:13"),
        ("inputs.text-a", "7:22"),
        ("'\u00e4 \U0001f600 }'", "7:12"),
    ],
)
def test_what_is_no_expression_is_told_by_line_and_column(written: str, place: str) -> None:
    with pytest.raises(DefinitionError, match="is no expression") as told:
        parse_pipeline(f"{DEFINITION}{written}", "p.yaml")
    assert str(told.value).startswith(f"p.yaml:{place}: ")


@pytest.mark.parametrize(
    "text", ["(" * 3000 + "inputs" + ")" * 3000, "!" * 60 + "inputs", f"`{'[' * 60_000}`"]
)
def test_an_expression_that_is_too_deep_is_none(text: str) -> None:
    with pytest.raises(DefinitionError, match="7:11: an expression too deep; 50 levels are accepted"):
        parse_pipeline(f"{DEFINITION}{json.dumps(text)}", "p.yaml")


@pytest.mark.parametrize(
    "text", ["inputs.things | [0]", "inputs.things[*].x | sort(@) | [0]", "inputs | text"]
)
def test_what_follows_a_pipe_looks_at_what_is_before_it(text: str) -> None:
    assert parse_pipeline(f"{DEFINITION}{json.dumps(text)}", "p.yaml")


def test_what_goes_too_deep_in_a_run_is_told() -> None:
    with pytest.raises(InvalidInput, match="cannot be computed"):
        evaluate("from_json(inputs.text)", {"inputs": {"text": "[" * 100_000}})
    with pytest.raises(InvalidInput, match="cannot be computed"):
        evaluate("ceil(to_number('1e999'))", {})
