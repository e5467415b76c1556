"""What an expression looks at of a run: names from the top, as ``steps.NAME.output``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]
"""Of JMESPath's tree: ``type``, ``children``, and ``value`` where there is one."""

_OF_LEFT = frozenset(
    {
        "index_expression",
        "projection",
        "value_projection",
        "filter_projection",
        "flatten",
        "pipe",
        "subexpression",
    }
)
"""Their first child is evaluated where they are; the others on what that gives."""


def references(node: Node) -> Iterator[tuple[str, ...]]:
    """Chains of names, each from the top to where something else than a name comes.

    What is evaluated on something else than the run, as within a filter, is none. The run as a whole, ``@``,
    is the empty chain.
    """
    kind = node["type"]
    spine = _spine(node)
    if spine is not None:
        yield spine
    elif kind in ("current", "identity"):
        yield ()
    elif kind in _OF_LEFT:
        yield from references(node["children"][0])
    elif kind != "expref":
        for child in node["children"]:
            if isinstance(child, Mapping):
                yield from references(child)


def _spine(node: Node) -> tuple[str, ...] | None:
    """The chain that a node begins with; None where it begins with no name."""
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] not in _OF_LEFT:
        return None
    first = _spine(node["children"][0])
    if first is None or node["type"] != "subexpression" or not _is_chain(node["children"][0]):
        return first
    return (*first, *_names(node["children"][1:]))


def _is_chain(node: Node) -> bool:
    return node["type"] == "field" or (
        node["type"] == "subexpression" and all(_is_chain(child) for child in node["children"])
    )


def _names(nodes: list[Node]) -> Iterator[str]:
    for node in nodes:
        yield from _spine(node) or ()
        if not _is_chain(node):
            return
