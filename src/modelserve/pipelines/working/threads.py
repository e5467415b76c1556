"""The store within an event loop: its calls block, and the database may be away for a while."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from modelserve.database import StoreError
from modelserve.pipelines.store import LeaseLost, RunStore

ResultT = TypeVar("ResultT")

_THREADS = 8
"""As many connections at most, and fewer than a ``Database`` has."""

_LONGEST_PAUSE_SECONDS = 2.0

logger = logging.getLogger(__name__)


class StoreThreads:
    """Calls of a store on threads of their own: functions of pipelines may keep the common ones busy.

    Args:
        store: that is called.
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")

    async def call(self, function: Callable[[], ResultT]) -> ResultT:
        """What a call of the store gives, or raises."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    async def insist(self, function: Callable[[], ResultT], *, seconds: float) -> ResultT:
        """What a call of the store gives, tried again while the store cannot be used.

        Args:
            function: may have been done although it seemed to fail.
            seconds: after which no further try begins.

        Raises:
            LeaseLost: at once.
            StoreError: of the last try.
        """
        until, pause_seconds = time.monotonic() + seconds, 0.1
        while True:
            try:
                return await self.call(function)
            except LeaseLost:
                raise
            except StoreError as error:
                if time.monotonic() + pause_seconds >= until:
                    raise
                logger.warning("trying again: %s", error)
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(_LONGEST_PAUSE_SECONDS, 2 * pause_seconds)

    def close(self) -> None:
        """Wait for calls in progress, and take no more."""
        self._executor.shutdown()
