"""Wake-ups for runs that the process that submits them does itself."""

from __future__ import annotations

import asyncio

from modelserve.pipelines.queueing.queue import Wakeup


class LocalQueue:
    """``Queue`` in the memory of one process. After a restart the sweep finds what was in it."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[str] = asyncio.Queue()

    async def wake(self, run_id: str) -> None:
        """See ``Queue.wake``."""
        self._waiting.put_nowait(run_id)

    async def next(self) -> Wakeup:
        """See ``Queue.next``."""
        return Wakeup(await self._waiting.get())

    async def close(self) -> None:
        """See ``Queue.close``."""
