"""Wakes workers that are scaled by the queue, of which there may be none to sweep for what the queue lost."""

from __future__ import annotations

import time

from modelserve.pipelines.queueing import Queue
from modelserve.pipelines.working.repeating import again_and_again
from modelserve.pipelines.working.threads import StoreThreads

WAKE_SECONDS = 30.0
LATE_SECONDS = 60.0
"""A worker's own sweep is sooner, where there is one."""


async def wake_late(threads: StoreThreads, queue: Queue) -> None:
    """Wake a run that is late, again and again, until it is cancelled.

    One at a time: the worker that starts for it sweeps for the others, and a queue that is merely long does
    not get longer.

    Args:
        threads: of the store.
        queue: by which workers are scaled.
    """

    async def wake() -> None:
        found = await threads.call(
            lambda: threads.store.overdue(now=time.time(), late_seconds=LATE_SECONDS, limit=1)
        )
        for run_id in found:
            await queue.wake(run_id)

    await again_and_again(WAKE_SECONDS, wake)
