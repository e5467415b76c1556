"""Kinds of values, as far as they are known before a run: what is declared, and what of it fits what."""

from __future__ import annotations

import base64
import binascii
import collections.abc
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelserve.pipelines.definition.expressions import Json


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of value.

    Attributes:
        kind: ``any``, ``string``, ``integer``, ``number``, ``boolean``, ``bytes``, ``object`` or ``list``.
        item: of a list.
        fields: of an object whose fields are known, all of them.
    """

    kind: str
    item: Shape | None = None
    fields: Mapping[str, Shape] | None = None

    def __str__(self) -> str:
        return f"{self.item}[]" if self.item is not None else self.kind


ANY, STRING, INTEGER = Shape("any"), Shape("string"), Shape("integer")
NUMBER, BOOLEAN, OBJECT = Shape("number"), Shape("boolean"), Shape("object")

_OF_PYTHON = {str: STRING, int: INTEGER, float: NUMBER, bool: BOOLEAN, dict: OBJECT}


def list_of(item: Shape) -> Shape:
    """A list of things of one kind."""
    return Shape("list", item)


def declared(name: str) -> Shape:
    """What a ``TypeName`` says."""
    return list_of(declared(name[:-2])) if name.endswith("[]") else Shape(name)


def annotated(annotation: Any) -> Shape:
    """What a function's annotation says; ``any`` where it says something else than JSON has."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (list, collections.abc.Sequence):
        return list_of(annotated(arguments[0]))
    if origin in (dict, collections.abc.Mapping):
        return OBJECT
    if origin in (typing.Union, types.UnionType):
        whole = [one for one in arguments if one is not type(None)]
        return annotated(whole[0]) if len(whole) == 1 else ANY
    return _OF_PYTHON.get(annotation, ANY)


def of_value(value: Json) -> Shape:
    """What a value is."""
    if isinstance(value, list):
        return list_of(common([of_value(one) for one in value]))
    if isinstance(value, dict):
        return Shape("object", fields={key: of_value(one) for key, one in value.items()})
    return _OF_PYTHON.get(type(value), ANY)


def common(shapes: list[Shape]) -> Shape:
    """What all of these are."""
    return shapes[0] if shapes and all(one == shapes[0] for one in shapes) else ANY


def fits(found: Shape, wanted: Shape) -> bool:
    """Whether the one may be the other; what is not known may be anything."""
    if "any" in (found.kind, wanted.kind):
        return True
    if found.item is not None and wanted.item is not None:
        return fits(found.item, wanted.item)
    # A text may be base64; base64 is no text that anybody would read.
    return found.kind == wanted.kind or (found.kind, wanted.kind) in (
        ("integer", "number"),
        ("string", "bytes"),
    )


def is_of(value: Json, wanted: Shape) -> bool:
    """Whether a value is what is wanted; null is not."""
    if wanted.kind == "any":
        return True
    if wanted.item is not None:
        return isinstance(value, list) and all(is_of(one, wanted.item) for one in value)
    if wanted.kind == "bytes":
        return isinstance(value, str) and _is_base64(value)
    return value is not None and fits(of_value(value), wanted)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
