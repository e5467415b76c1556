"""What an expression gives, as far as the kinds of what it looks at tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modelserve.pipelines.definition.references import Node
from modelserve.pipelines.definition.shapes import (
    ANY,
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    Shape,
    common,
    list_of,
    of_value,
)


class Misfit(Exception):
    """An expression asks something of a value that such a value has not."""


_RESULTS = {
    **dict.fromkeys(("contains", "ends_with", "starts_with"), BOOLEAN),
    "avg": NUMBER,
    **dict.fromkeys(("ceil", "floor"), INTEGER),
    **dict.fromkeys(("join", "to_string", "type"), STRING),
    **dict.fromkeys(("keys",), list_of(STRING)),
    **dict.fromkeys(("values",), list_of(ANY)),
    "length": INTEGER,
    "merge": OBJECT,
}
"""Functions whose result is of one kind, whatever they are given."""

_LIKE_THE_FIRST = ("abs", "reverse", "sort", "sort_by")

_LIKE_AN_ITEM = ("max", "max_by", "min", "min_by")


def infer(node: Node, current: Shape) -> Shape:
    """The kind of what an expression gives.

    Null is of every kind: a step may be skipped.

    Args:
        node: of the expression.
        current: what it is evaluated on.

    Raises:
        Misfit: it looks for a name in what has no names, or not that one.
    """
    handler = _HANDLERS.get(node["type"])
    return ANY if handler is None else handler(node, current)


def _field(node: Node, current: Shape) -> Shape:
    name = node["value"]
    if current.kind == "any" or (current.kind == "object" and current.fields is None):
        return ANY
    if current.fields is None:
        hint = "; what is denied is in brackets, !(…)" if current == BOOLEAN else ""
        raise Misfit(f"{name} is looked for in {current}, which has no names{hint}")
    if name not in current.fields:
        raise Misfit(f"{name} is none of {', '.join(current.fields) or 'none'}")
    return current.fields[name]


def _chain(node: Node, current: Shape) -> Shape:
    for child in node["children"]:
        current = infer(child, current)
    return current


def _item(current: Shape, what: str) -> Shape:
    if current.kind == "any":
        return ANY
    if current.item is None:
        raise Misfit(f"{what} of {current}, which is no list")
    return current.item


def _index(node: Node, current: Shape) -> Shape:
    return _item(current, f"item {node['value']}")


def _slice(_: Node, current: Shape) -> Shape:
    return ANY if current.kind == "any" else list_of(_item(current, "a slice"))


def _projection(node: Node, current: Shape) -> Shape:
    left, right = node["children"][:2]
    return list_of(infer(right, _item(infer(left, current), "all items")))


def _value_projection(node: Node, current: Shape) -> Shape:
    infer(node["children"][0], current)
    return list_of(ANY)


def _flatten(node: Node, current: Shape) -> Shape:
    item = _item(infer(node["children"][0], current), "all items")
    return list_of(item.item if item.item is not None else item)


def _several(node: Node, current: Shape) -> Shape:
    return list_of(common([infer(child, current) for child in node["children"]]))


def _named(node: Node, current: Shape) -> Shape:
    return Shape(
        "object", fields={pair["value"]: infer(pair["children"][0], current) for pair in node["children"]}
    )


def _either(node: Node, current: Shape) -> Shape:
    return common([infer(child, current) for child in node["children"]])


def _truth(node: Node, current: Shape) -> Shape:
    for child in node["children"]:
        infer(child, current)
    return BOOLEAN


def _function(node: Node, current: Shape) -> Shape:
    name, arguments = node["value"], node["children"]
    shapes = [ANY if one["type"] == "expref" else infer(one, current) for one in arguments]
    if name in _LIKE_THE_FIRST and shapes:
        return shapes[0]
    if name == "sum" and shapes:
        item = _item(shapes[0], "sum()")
        return item if item in (INTEGER, NUMBER) else ANY  # of no texts it is 0
    if name in _LIKE_AN_ITEM and shapes:
        return _item(shapes[0], f"{name}()")
    if name == "map" and len(arguments) == 2 and arguments[0]["type"] == "expref":
        return list_of(infer(arguments[0]["children"][0], _item(shapes[1], "all items")))
    return _RESULTS.get(name, ANY)


_HANDLERS: Mapping[str, Callable[[Node, Shape], Shape]] = {
    "field": _field,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "index": _index,
    "slice": _slice,
    "projection": _projection,
    "filter_projection": _projection,
    "value_projection": _value_projection,
    "flatten": _flatten,
    "multi_select_list": _several,
    "multi_select_dict": _named,
    "and_expression": _either,
    "or_expression": _either,
    "not_expression": _truth,
    "comparator": _truth,
    "function_expression": _function,
    "literal": lambda node, _: of_value(node["value"]),
    "current": lambda _, current: current,
    "identity": lambda _, current: current,
}
