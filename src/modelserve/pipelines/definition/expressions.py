"""JMESPath as pipelines have it: what a run looks like to it, one function more, and one kind of error.

A run is ``{"inputs": {…}, "steps": {NAME: {"status": "succeeded", "output": …, "error": null}}}``, and within
``forEach`` also ``item`` and ``index``. Steps that an expression looks at are those after its ``steps.``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jmespath
import jmespath.exceptions
import jmespath.functions
from jmespath.parser import ParsedResult

from modelserve.errors import InvalidInput

Json = Any
"""What JSON has: None, bool, int, float, str, and lists and dicts of them."""


class _Functions(jmespath.functions.Functions):
    """JMESPath's own, and ``from_json``: models of this package answer with JSON in strings."""

    @jmespath.functions.signature({"types": ["string"]})
    def _func_from_json(self, text: str) -> Json:
        return json.loads(text)


_FUNCTIONS = _Functions()
_OPTIONS = jmespath.Options(custom_functions=_FUNCTIONS)

FUNCTION_TABLE: Mapping[str, Any] = _FUNCTIONS.FUNCTION_TABLE
"""All that an expression may call, with the signatures."""


@lru_cache(maxsize=4096)
def compiled(expression: str) -> ParsedResult:
    """An expression, parsed.

    Raises:
        jmespath.exceptions.ParseError: it is none; ``lex_position`` tells where.
    """
    return jmespath.compile(expression)


def expressions_in(
    value: Json, at: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """All strings of a value, however deep, each with its place.

    Args:
        value: of a definition.
        at: its own place.
    """
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from expressions_in(one, (*at, index))
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from expressions_in(one, (*at, key))


def evaluate(value: Json, context: Mapping[str, Json]) -> Json:
    """A value of a definition as it is in a run: its strings are expressions.

    Raises:
        InvalidInput: an expression cannot be computed of what the run has.
    """
    if isinstance(value, str):
        return _computed(value, context)
    if isinstance(value, Mapping):
        return {key: evaluate(one, context) for key, one in value.items()}
    if isinstance(value, list):
        return [evaluate(one, context) for one in value]
    return value


def is_true(value: Json) -> bool:
    """As JMESPath tells: false, null and what is empty are not; 0 is."""
    return not (value is None or value is False or (isinstance(value, str | list | dict) and not value))


def _computed(expression: str, context: Mapping[str, Json]) -> Json:
    try:
        return compiled(expression).search(context, options=_OPTIONS)
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:  # JMESPath's are ValueErrors
        raise InvalidInput(f"{expression!r} cannot be computed: {error}") from error
