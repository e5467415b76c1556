"""Deadlines of calls, several things that a call waits for at once, and a process's end."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")

_PATIENCE_SECONDS = 1.0


def deadline_after(seconds: float | None) -> float | None:
    """The deadline, by ``time.monotonic``, that is so many seconds away; None where there is none."""
    return None if seconds is None else time.monotonic() + seconds


def seconds_left(deadline: float | None) -> float | None:
    """The seconds until a deadline, negative when it has passed; None where there is none."""
    return None if deadline is None else deadline - time.monotonic()


def set_on_signals(stopping: asyncio.Event) -> None:
    """Set an event of the running loop with SIGTERM and SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)


async def end_all(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel tasks until they have ended; what they raise stays theirs.

    Once may not be enough: redis-py 8.1 swallows a cancellation that comes while it connects.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=_PATIENCE_SECONDS)
        await asyncio.gather(*done, return_exceptions=True)


async def together(works: Iterable[Coroutine[Any, Any, ResultT]]) -> list[ResultT]:
    """Do several things at once; when one fails, or the caller goes, the others are given up."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
