"""A shadow of calls that come now: they are compared beside whoever brings them, or skipped.

Calls in a file wait for their turn. Mirrored ones do not: what is behind the others is skipped and counted,
so that neither what waits nor what is in progress grows with the load.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from modelserve.events import Pair
from modelserve.events.sink.seldom import Seldom
from modelserve.shadow.comparison import Shadow

SKIPPED_BUSY, INTERRUPTED, BROKEN = "skipped_busy", "interrupted", "broken"
"""What becomes of a call for which there is no room, that was in progress at the end, that raised."""

_MOST_BYTES = 64 * 1024 * 1024
"""Of the payloads of the calls in progress, if there are several: read, they take several times as much."""

AnswerT = TypeVar("AnswerT")

logger = logging.getLogger(__name__)


class LiveShadow:
    """Runs a shadow on a thread of its own, where all that it counts is changed and read.

    Args:
        shadow: compares; it does not wait for the rate.
        at_once: the most calls in progress.
        most_bytes: of their payloads, where there are several.
    """

    def __init__(self, shadow: Shadow, *, at_once: int, most_bytes: int = _MOST_BYTES) -> None:
        self._shadow, self._at_once, self._most_bytes = shadow, at_once, most_bytes
        self._calls: dict[asyncio.Task[None], int] = {}
        self._loop = asyncio.new_event_loop()
        self._seldom = Seldom(logger, seconds=60.0)
        self._thread = threading.Thread(target=self._loop.run_forever, name="shadow", daemon=True)
        self._thread.start()

    def offer(self, pair: Pair) -> None:
        """Begin with a call, or skip it; on any other thread.

        It waits until one of the two is done, so that calls cannot heap up before the shadow's thread.
        """
        self.ask(lambda: self._begin_or_skip(pair))

    def ask(self, question: Callable[[], AnswerT]) -> AnswerT:
        """What a function answers on the shadow's thread, between two changes; on any other thread."""

        async def answer() -> AnswerT:
            return question()

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result()

    def close(self, *, timeout_seconds: float) -> None:
        """Wait for the calls in progress, interrupt those that take longer, and end.

        What was counted may be read on any thread then.
        """
        asyncio.run_coroutine_threadsafe(self._finish(timeout_seconds), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _begin_or_skip(self, pair: Pair) -> None:
        size = len(pair.request.body) + len(pair.response.body)
        in_progress = sum(self._calls.values())
        if len(self._calls) >= self._at_once or (self._calls and in_progress + size > self._most_bytes):
            self._shadow.skip(SKIPPED_BUSY)
            return
        call = self._loop.create_task(self._shadow.take(pair))
        self._calls[call] = size
        call.add_done_callback(self._end)

    def _end(self, call: asyncio.Task[None]) -> None:
        del self._calls[call]
        if call.cancelled():
            self._shadow.skip(INTERRUPTED)
        elif (error := call.exception()) is not None:
            self._shadow.skip(BROKEN)
            self._seldom.log(logging.ERROR, "a call could not be compared", error)

    async def _finish(self, timeout_seconds: float) -> None:
        if self._calls:
            _, late = await asyncio.wait(list(self._calls), timeout=timeout_seconds)
            for call in late:
                call.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._shadow.close()
