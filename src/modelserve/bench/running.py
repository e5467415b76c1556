"""The event loop of the generator: uvloop's where it is installed, as it costs less of the CPU."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from importlib.util import find_spec
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


def run(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run to the end, as ``asyncio.run`` does."""
    if find_spec("uvloop") is None:
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415  # comes with the server, which the generator can do without

    result: ResultT = uvloop.run(main)
    return result
