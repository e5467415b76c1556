"""What is done again and again beside the runs: sweeping, forgetting, waking."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from modelserve.database import StoreError

logger = logging.getLogger(__name__)


async def again_and_again(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do something about every so many seconds, not all processes at the same time.

    Args:
        seconds: between two times, half of that more or less.
        work: may find the store away, and is then done later.
    """
    while True:
        await asyncio.sleep(seconds * random.uniform(0.5, 1.5))
        try:
            await work()
        except StoreError as error:
            logger.warning("trying again later: %s", error)
