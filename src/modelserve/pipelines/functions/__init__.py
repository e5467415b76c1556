"""Pure functions that steps may call: those of this package and of others, by entry points.

A function takes and gives what JSON has, and its annotations are what definitions are checked by. It may be
called again with the same, when a worker dies: an effect would happen twice.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from modelserve.errors import ModelServeError

GROUP = "modelserve.pipeline_functions"
"""The entry points by which functions are found; each names a function."""

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class UnknownFunction(ModelServeError):
    """There is no such function, or it cannot be used."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function, and what is known of it.

    Attributes:
        call: the function itself.
        arguments: their annotations by their names.
        required: names of those without a default.
        result: the annotation of what it gives.
    """

    call: Callable[..., Any]
    arguments: Mapping[str, Any]
    required: frozenset[str]
    result: Any


@lru_cache(maxsize=256)
def find_function(name: str) -> Function:
    """A function by its name.

    Raises:
        UnknownFunction: there is none, or none that a step can call.
    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        raise UnknownFunction(f"there is no function {name}; there are {', '.join(sorted(found)) or 'none'}")
    try:
        call = found[name].load()
        parameters = inspect.signature(call).parameters
        hints = typing.get_type_hints(call)
    except Exception as error:  # whatever a module of another package does when it is imported
        raise UnknownFunction(f"function {name} cannot be used: {error}") from error
    if inspect.iscoroutinefunction(call):
        raise UnknownFunction(f"function {name} cannot be used: it is async, and a plain one is accepted")
    if any(one.kind not in _BY_NAME for one in parameters.values()):
        raise UnknownFunction(
            f"function {name} cannot be used: it has arguments without names, and it is called by names"
        )
    return Function(
        call,
        {one: hints.get(one, Any) for one in parameters},
        frozenset(
            one for one, parameter in parameters.items() if parameter.default is inspect.Parameter.empty
        ),
        hints.get("return", Any),
    )
