"""How many calls are computed, how many wait, and when one is refused.

Overload is answered at once, so that a caller can go elsewhere: waiting beyond the bound only
makes every answer late.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from modelserve.errors import DeadlineExceeded, Overloaded


class Admission:
    """A bounded queue before a bounded number of places.

    Args:
        places: calls that are computed at once.
        max_queue: calls that wait for a place.
    """

    def __init__(self, *, places: int, max_queue: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._max_queue = max_queue
        self.waiting = 0

    @asynccontextmanager
    async def place(self, timeout_seconds: float | None) -> AsyncIterator[None]:
        """Hold a place for one call.

        Args:
            timeout_seconds: what is left until the caller's deadline; None where there is none.

        Raises:
            Overloaded: the queue is full.
            DeadlineExceeded: the deadline passed in the queue.
        """
        if timeout_seconds is not None and timeout_seconds <= 0:
            raise DeadlineExceeded("the caller's deadline had passed when the call arrived")
        if self._places.locked():
            if self.waiting >= self._max_queue:
                raise Overloaded(f"the queue is full with {self._max_queue} calls; try again after a second")
            self.waiting += 1
            try:
                await asyncio.wait_for(self._places.acquire(), timeout_seconds)
            except asyncio.TimeoutError as error:
                raise DeadlineExceeded("the caller's deadline passed in the queue") from error
            finally:
                self.waiting -= 1
        else:
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()
