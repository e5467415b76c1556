"""Expressions of a definition, each held against what there is to look at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jmespath.exceptions

from modelserve.pipelines.definition.expressions import FUNCTION_TABLE, Json, compiled, expressions_in
from modelserve.pipelines.definition.inference import Misfit, infer
from modelserve.pipelines.definition.places import Document, Mistake, Path
from modelserve.pipelines.definition.references import Node, references
from modelserve.pipelines.definition.shapes import ANY, Shape, common, list_of, of_value

_OF_STEP = ("status", "output", "error")

_DEEPEST = 50
"""Levels of an expression: it is evaluated by recursion, several calls for each."""

_TOO_DEEP = f"an expression too deep; {_DEEPEST} levels are accepted"

_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`((?:\\.|[^`\\])*)`""", re.DOTALL)


class _NoExpression(Exception):
    """A text that is no expression; ``offset`` tells where, if that is known."""

    def __init__(self, said: str, offset: int | None = None) -> None:
        super().__init__(said)
        self.offset = offset


class Expressions:
    """Checks the expressions within values.

    Args:
        steps: names of those that may be looked at.
        inputs: names of the run's.
        document: in which they are.
    """

    def __init__(self, *, steps: Sequence[str], inputs: Sequence[str], document: Document) -> None:
        self._steps, self._inputs, self._document = steps, inputs, document

    def check(self, value: Json, at: Path, *, of_item: bool) -> Iterator[Mistake]:
        """Mistakes of all expressions of a value: what is none, and what looks at nothing.

        Args:
            value: of the definition.
            at: its place.
            of_item: whether there is an ``item`` to look at.
        """
        for place, expression in expressions_in(value, at):
            try:
                tree = _parsed(expression)
            except _NoExpression as error:
                yield self._document.mistake(place, str(error), offset=error.offset)
                continue
            whole = {"type": "whole", "children": [tree]}
            for said in (*self._lost(tree, of_item=of_item), *_calls(whole)):
                yield self._document.mistake(place, f"{expression!r}: {said}")

    def shape(self, value: Json, run: Shape, at: Path) -> tuple[Shape, list[Mistake]]:
        """What a value of the definition is in a run, and what of it cannot be.

        Args:
            value: of the definition, whose expressions are such.
            run: what they look at.
            at: the value's place.
        """
        if isinstance(value, str):
            try:
                return infer(compiled(value).parsed, run), []
            except Misfit as error:
                return ANY, [self._document.mistake(at, f"{value!r}: {error}")]
        if isinstance(value, list):
            parts = [self.shape(one, run, (*at, index)) for index, one in enumerate(value)]
            return list_of(common([part for part, _ in parts])), [one for _, told in parts for one in told]
        if isinstance(value, dict):
            fields = {key: self.shape(one, run, (*at, key)) for key, one in value.items()}
            shape = Shape("object", fields={key: part for key, (part, _) in fields.items()})
            return shape, [one for _, told in fields.values() for one in told]
        return of_value(value), []

    def _lost(self, tree: Node, *, of_item: bool) -> Iterator[str]:
        """Names that an expression begins with and that are not there."""
        roots = ("inputs", "steps", *(("item", "index") if of_item else ()))
        for chain in references(tree):
            if not chain or chain[0] not in roots:
                what = chain[0] if chain else "@"
                hint = (
                    ""
                    if of_item or what not in ("item", "index")
                    else ", and with forEach its inputs have item"
                )
                yield f"{what} is nothing to look at; a run has inputs and steps{hint}"
            elif chain[0] == "inputs" and len(chain) > 1 and chain[1] not in self._inputs:
                yield f"input {chain[1]} is unknown; there are {', '.join(self._inputs) or 'none'}"
            elif chain[0] == "steps" and len(chain) == 1:
                yield "steps has a name behind it, as steps.NAME.output; what is denied is in brackets, !(…)"
            elif chain[0] == "steps" and chain[1] not in self._steps:
                yield f"step {chain[1]} is unknown; there are {', '.join(self._steps) or 'none'}"
            elif chain[0] == "steps" and len(chain) > 2 and chain[2] not in _OF_STEP:
                yield f"{chain[2]} is nothing that a step has; it has {', '.join(_OF_STEP)}"


def _parsed(expression: str) -> Node:
    """The tree of an expression.

    Raises:
        _NoExpression: it is none.
    """
    what = f"{expression!r} is no expression"
    try:
        for one in _QUOTED.finditer(expression):
            if one[1] is not None and not _is_json(one[1].replace("\\`", "`")):
                # JMESPath would take it for a text, as its first version had it.
                said = f"{what}: JSON is between backticks; a text as it stands is in single quotes"
                raise _NoExpression(said, one.start(1))
        tree: Node = compiled(expression).parsed
    except jmespath.exceptions.EmptyExpressionError as error:
        raise _NoExpression("an empty text is no expression; '' is an empty text") from error
    except jmespath.exceptions.ParseError as error:
        offset = min(error.lex_position, max(0, len(expression) - 1))
        raise _NoExpression(f"{what}: {_reason(error, expression)}", offset) from error
    except ValueError as error:  # Python makes no number of so many digits
        raise _NoExpression("no expression: a number in it has too many digits") from error
    except RecursionError as error:
        raise _NoExpression(_TOO_DEEP) from error
    if _depth(tree) > _DEEPEST:
        raise _NoExpression(_TOO_DEEP)
    return tree


def _is_json(text: str) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


def _calls(tree: Node) -> Iterator[str]:
    """Functions that there are not, such with too many or too few arguments, and ``&`` in other places."""
    children = [child for child in tree["children"] if isinstance(child, dict)]
    takes_expression: list[bool] = []
    if tree["type"] == "function_expression":
        name = tree["value"]
        if name not in FUNCTION_TABLE:
            yield f"there is no function {name}; there are {', '.join(sorted(FUNCTION_TABLE))}"
            takes_expression = [True] * len(children)
        else:
            signature = FUNCTION_TABLE[name]["signature"]
            takes_expression = ["expref" in one["types"] for one in signature]
            yield from _count(name, len(children), signature)
    for place, child in enumerate(children):
        if child["type"] == "expref" and not any(takes_expression[place : place + 1]):
            yield "& is for functions that take an expression, as map(&name, list) does"
        yield from _calls(child)


def _count(name: str, given: int, signature: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    wanted = len(signature)
    is_open = bool(signature) and bool(signature[-1].get("variadic"))
    if given < wanted or (given > wanted and not is_open):
        what = "argument" if wanted == 1 else "arguments"
        yield f"{name} takes {wanted} {what}{' or more' if is_open else ''}, not {given}"


def _depth(tree: Node) -> int:
    """Levels of a tree; counted level by level, as it may be too deep for recursion."""
    level, depth = [tree], 0
    while level:
        level = [child for node in level for child in node["children"] if isinstance(child, dict)]
        depth += 1
    return depth


def _reason(error: jmespath.exceptions.ParseError, expression: str) -> str:
    if isinstance(error, jmespath.exceptions.IncompleteExpressionError):
        return "it is not complete"
    said = error.message if isinstance(error, jmespath.exceptions.LexerError) else error.msg
    at = error.lex_position
    if expression[at : at + 1] == "-":
        return f'{said}; a name with "-" is in double quotes'
    if error.token_type == "UNQUOTED_IDENTIFIER":
        return f"{said}; a text as it stands is in single quotes"
    return str(said)
