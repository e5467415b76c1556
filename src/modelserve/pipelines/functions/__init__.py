"""Pure functions that steps may call, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def find_function(name: str) -> Callable[..., Any]:
    """The function of that name."""
    raise NotImplementedError(name)
