"""Deadlines of calls, and several things that a call waits for at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


def deadline_after(seconds: float | None) -> float | None:
    """The deadline, by ``time.monotonic``, that is so many seconds away; None where there is none."""
    return None if seconds is None else time.monotonic() + seconds


def seconds_left(deadline: float | None) -> float | None:
    """The seconds until a deadline, negative when it has passed; None where there is none."""
    return None if deadline is None else deadline - time.monotonic()


async def together(works: Iterable[Coroutine[Any, Any, ResultT]]) -> list[ResultT]:
    """Do several things at once; when one fails, or the caller goes, the others are given up."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
