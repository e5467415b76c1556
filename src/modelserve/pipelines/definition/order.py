"""Which steps come before which: those that an expression looks at, and those that are said to."""

from __future__ import annotations

from modelserve.pipelines.definition.expressions import Json, compiled, expressions_in
from modelserve.pipelines.definition.models import Step
from modelserve.pipelines.definition.references import references


def needs_of(step: Step) -> frozenset[str]:
    """Names of the steps that come before it."""
    fallback = None if step.fallback is None else step.fallback.value
    values = [step.inputs, step.parameters, step.when, step.for_each, fallback]
    return frozenset(step.needs).union(*(looked_at(value) for value in values))


def looked_at(value: Json) -> frozenset[str]:
    """Names of the steps that a value's expressions look at."""
    return frozenset(
        chain[1]
        for _, expression in expressions_in(value)
        for chain in references(compiled(expression).parsed)
        if chain[:1] == ("steps",) and len(chain) > 1
    )
