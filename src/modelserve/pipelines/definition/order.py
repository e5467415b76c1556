"""Which steps come before which: those that an expression looks at, and those that are said to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modelserve.pipelines.definition.expressions import Json, compiled
from modelserve.pipelines.definition.models import Step


def needs_of(step: Step) -> frozenset[str]:
    """Names of the steps that come before it."""
    fallback = None if step.fallback is None else step.fallback.value
    values = [step.inputs, step.parameters, step.when, step.for_each, fallback]
    return frozenset(step.needs).union(*(looked_at(value) for value in values))


def looked_at(value: Json) -> frozenset[str]:
    """Names of the steps that a value's expressions look at."""
    return frozenset(
        name for expression in expressions_in(value) for name in _steps_in(compiled(expression).parsed)
    )


def expressions_in(value: Json) -> Iterator[str]:
    """All strings of a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from expressions_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from expressions_in(one)


def _steps_in(node: Mapping[str, Any]) -> Iterator[str]:
    """Every NAME of ``steps.NAME``, whose node is a chain that begins with the two fields.

    ``steps`` in another place, as a field of something else, may be taken for it: that is a step too many to
    wait for, never one too few.
    """
    children = node["children"]
    if node["type"] in ("subexpression", "index_expression") and len(children) >= 2:
        first, second = children[0], children[1]
        if first["type"] == "field" and first["value"] == "steps" and second["type"] == "field":
            yield second["value"]
    for child in children:
        if isinstance(child, dict):
            yield from _steps_in(child)
