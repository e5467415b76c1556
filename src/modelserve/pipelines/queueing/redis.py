"""Wake-ups through a Redis stream, as messages of taskiq's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

from redis.exceptions import RedisError
from taskiq import AckableMessage, TaskiqError
from taskiq.kicker import AsyncKicker

from modelserve.concurrency import end_all
from modelserve.pipelines.queueing.broker import WakeupBroker
from modelserve.pipelines.queueing.queue import Wakeup

_TASK = "modelserve.pipelines.go_on"
_WAKE_SECONDS = 3.0
"""Nobody who submits a run waits longer for Redis: the sweep wakes the run too."""

logger = logging.getLogger(__name__)


class RedisQueue:
    """``Queue`` that many processes share; made within the event loop that it is used in.

    Args:
        broker: to Redis, which is closed with this.
    """

    def __init__(self, broker: WakeupBroker) -> None:
        self._broker = broker
        self._messages: AsyncGenerator[AckableMessage, None] | None = None
        self._holding: asyncio.Task[None] | None = None

    async def wake(self, run_id: str) -> None:
        """See ``Queue.wake``."""
        kicker: AsyncKicker[[str], None] = AsyncKicker(_TASK, self._broker, {})

        async def send() -> None:
            await self._broker.declare()
            await kicker.kiq(run_id)

        try:
            await asyncio.wait_for(send(), _WAKE_SECONDS)
        except (RedisError, TaskiqError, asyncio.TimeoutError) as error:
            reason = str(error.__cause__ or error) or type(error).__name__
            logger.warning("run %s is not woken, and has to wait for the sweep: %s", run_id, reason)

    async def next(self) -> Wakeup:
        """See ``Queue.next``."""
        if self._messages is None:
            self._messages = self._broker.listen()
            self._holding = asyncio.create_task(self._broker.hold())
        while True:
            message = await self._messages.__anext__()

            async def settle(message: Any = message) -> None:
                await message.ack()

            try:
                (run_id,) = self._broker.formatter.loads(message.data).args
                return Wakeup(str(run_id), settle)
            except ValueError as error:
                logger.warning("the stream has a message that is no wake-up: %s", error)
                await settle()

    async def close(self) -> None:
        """See ``Queue.close``."""
        if self._holding is not None:
            await end_all([self._holding])
        if self._messages is not None:
            await self._messages.aclose()
        await self._broker.shutdown()
