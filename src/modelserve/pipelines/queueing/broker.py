"""taskiq's broker on Redis streams, made to outlive Redis, its own consumers, and its own length.

``RedisStreamBroker`` of taskiq-redis 1.2 ends its listening with the first error of Redis, looks for messages
of dead consumers only when new ones come, and leaves the consumers of dead processes in the group.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from taskiq import AckableMessage
from taskiq_redis import RedisStreamBroker

STREAM, GROUP = "modelserve:pipelines", "workers"
_LONGEST_STREAM = 100_000
"""Messages, the settled ones too: what is more than about that is cut off at its old end."""

_BLOCK_SECONDS = 2.0
_TIMEOUT_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 5.0
_ABANDONED_SECONDS = 60.0
"""After which a message is another's to settle, unless its consumer says that it still has it."""

_GONE_SECONDS = 3600.0
"""After which a consumer without messages is taken out of the group."""

logger = logging.getLogger(__name__)


class WakeupBroker(RedisStreamBroker):
    """One message at a time, so that no process holds what another has a place for.

    Args:
        url: of Redis, as ``redis://HOST:6379``.
        abandoned_seconds: after which the messages of a consumer that is silent are taken over.
    """

    def __init__(self, url: str, *, abandoned_seconds: float = _ABANDONED_SECONDS) -> None:
        super().__init__(
            url,
            queue_name=STREAM,
            consumer_group_name=GROUP,
            consumer_id="0",  # what came before there was a worker is for the first of them
            max_connection_pool_size=16,
            xread_block=int(_BLOCK_SECONDS * 1000),
            xread_count=1,
            maxlen=_LONGEST_STREAM,
            idle_timeout=int(abandoned_seconds * 1000),
            # redis-py 8.1 does not replace a connection over RESP3 that the server closed.
            protocol=2,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            socket_keepalive=True,
        )
        self._abandoned_seconds = abandoned_seconds
        self._held: dict[bytes, None] = {}
        self._is_declared = False

    async def declare(self) -> None:
        """Make the stream and its group where they are not there: whoever scales workers asks for them.

        Raises:
            RedisError: Redis cannot be used.
        """
        if not self._is_declared:
            await self._declare_consumer_group()
            self._is_declared = True

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Messages for this process, those of dead ones among them, without an end."""
        pause_seconds, tended = 0.0, 0.0
        while True:
            try:
                async with Redis(connection_pool=self.connection_pool) as redis:
                    await self.declare()
                    while True:
                        taken: list[Any] = []
                        if time.monotonic() - tended >= self._abandoned_seconds / 4:
                            taken = await self._abandoned(redis)
                            tended = tended if taken else time.monotonic()
                        for number, fields in taken or await self._new(redis):
                            self._held[number] = None
                            yield AckableMessage(data=fields[b"data"], ack=self._settling(number))
                        pause_seconds = 0.0
            except RedisError as error:
                # With its data, Redis loses the group too.
                self._is_declared = False
                logger.warning("Redis cannot be listened to, which makes runs late: %s", error)
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(_LONGEST_PAUSE_SECONDS, 2 * pause_seconds or 0.1)

    async def hold(self) -> None:
        """Say, again and again, which messages this process still has."""
        while True:
            await asyncio.sleep(self._abandoned_seconds / 4)
            held: list[Any] = list(self._held)
            try:
                async with Redis(connection_pool=self.connection_pool) as redis:
                    if held:
                        await redis.xclaim(STREAM, GROUP, self.consumer_name, 0, held, justid=True)
                    await self._dismiss(redis)
            except RedisError as error:
                logger.warning("Redis is not told which wake-ups are worked on: %s", error)

    async def _new(self, redis: Redis) -> list[Any]:
        answer: Any = await redis.xreadgroup(
            GROUP, self.consumer_name, {STREAM: ">"}, block=self.block, count=self.count
        )
        return [message for _, messages in answer or () for message in messages]

    async def _abandoned(self, redis: Redis) -> list[Any]:
        answer: Any = await redis.xautoclaim(
            STREAM, GROUP, self.consumer_name, min_idle_time=self.idle_timeout, count=1
        )
        # A message that was cut off with the stream's old end has no fields.
        return [(number, fields) for number, fields in answer[1] if fields and number not in self._held]

    async def _dismiss(self, redis: Redis) -> None:
        consumers: Any = await redis.xinfo_consumers(STREAM, GROUP)
        for one in consumers:
            if one["pending"] == 0 and one["idle"] > _GONE_SECONDS * 1000:
                await redis.xgroup_delconsumer(STREAM, GROUP, one["name"])

    def _settling(self, number: bytes) -> Callable[[], Awaitable[None]]:
        async def settle() -> None:
            self._held.pop(number, None)
            try:
                async with Redis(connection_pool=self.connection_pool) as redis:
                    await redis.xack(STREAM, GROUP, number)
            except RedisError as error:
                logger.warning("a wake-up is not settled, and comes again: %s", error)

        return settle
