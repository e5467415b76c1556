"""The cache that replicas share: Redis, as long as it answers at once.

A call must not be slower or fail because of its cache. So whatever goes wrong with Redis is a miss,
nothing waits longer than one short timeout, and after a few failures a circuit breaker leaves Redis
alone for a while.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from modelserve.cache import CacheCounters
from modelserve.cache.breaker import CircuitBreaker
from modelserve.cache.envelope import seal, unseal

KEY_PREFIX = b"modelserve:cache:1:"
"""Before every key. Its number is that of the format of keys and values."""

MAX_VALUE_BYTES = 1024 * 1024
"""A larger value is not kept: it would take the timeout of the values beside it."""

CONNECTIONS = 8
FAILURES_TO_OPEN = 3
PAUSE_SECONDS = 5.0

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class RedisAddress:
    """Where a Redis is, and how to log in to it.

    Its text leaves the password out.
    """

    host: str
    port: int
    database: int
    is_tls: bool
    username: str | None = None
    password: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.is_tls else 'redis'}://{host}:{self.port}/{self.database}"

    __repr__ = __str__


class RedisCache:
    """Values in Redis, each with a lifetime, behind a circuit breaker for each direction.

    A Redis that is full or a read-only replica refuses to write and still answers reads: that is why
    there are two breakers.

    Args:
        address: of the server.
        ttl_seconds: how long Redis keeps a value.
        timeout_seconds: the most that an exchange takes, connecting and waiting for a connection included.
        clock: seconds on a clock that never goes back, for the breakers.
    """

    def __init__(
        self,
        address: RedisAddress,
        *,
        ttl_seconds: float,
        timeout_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self._ttl_ms = max(1, round(ttl_seconds * 1000))
        self._timeout_seconds = timeout_seconds
        self._redis = Redis(
            host=address.host,
            port=address.port,
            db=address.database,
            username=address.username,
            password=address.password,
            ssl=address.is_tls,
            # Version 3 brings server pushes. redis-py 8.1 then neither replaces a connection that the
            # server has closed nor refuses one with an unread answer (redis-py #4252).
            protocol=2,
            # The breaker decides when to try again.
            retry=Retry(NoBackoff(), 0),
            # One timeout of ours is around the whole exchange; this one is left for closing.
            socket_timeout=None,
            socket_connect_timeout=timeout_seconds,
        )
        # Bounds the connections, as redis-py's pool fails at its bound and does not wait.
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._reading = _breaker(clock)
        self._writing = _breaker(clock)
        self._exchanges: set[asyncio.Task[object]] = set()
        self._has_logged_corruption = False
        self.counters = CacheCounters()

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Look keys up with one MGET; all of them are misses where Redis fails."""
        if not keys:
            return []
        values = await self._guard(self._reading, "reading", lambda: self._read(keys))
        if values is None:
            values = [None] * len(keys)
        misses = values.count(None)
        self.counters.misses += misses
        self.counters.hits += len(values) - misses
        return values

    async def put_many(self, items: Mapping[bytes, bytes]) -> None:
        """Keep values with one pipeline of SET, or not where Redis fails."""
        small = {key: value for key, value in items.items() if len(value) <= MAX_VALUE_BYTES}
        if small:
            await self._guard(self._writing, "writing", lambda: self._write(small))

    async def close(self) -> None:
        """Wait for exchanges in progress, which is at most one timeout, and close the connections."""
        if self._exchanges:
            await asyncio.wait(self._exchanges)
        try:
            await self._redis.aclose()
        except (RedisError, OSError) as error:
            logger.debug("closing the connections to the cache %s: %s", self.address, error)

    async def _guard(
        self, breaker: CircuitBreaker, doing: str, exchange: Callable[[], Awaitable[T]]
    ) -> T | None:
        """Run an exchange if the breaker lets it; None where there is no answer."""
        ticket = breaker.admit()
        if ticket is None:
            return None
        # A task of its own: a caller that goes away neither interrupts an exchange half way, which would
        # cost the connection, nor keeps its result from the breaker.
        task = asyncio.create_task(self._settle(breaker, ticket, doing, exchange))
        self._exchanges.add(task)
        task.add_done_callback(self._exchanges.discard)
        return await asyncio.shield(task)

    async def _settle(
        self, breaker: CircuitBreaker, ticket: int, doing: str, exchange: Callable[[], Awaitable[T]]
    ) -> T | None:
        try:
            answer = await asyncio.wait_for(self._in_place(exchange), self._timeout_seconds)
        # Not only redis-py's own errors: its parser trips over what is no Redis in many ways.
        except Exception as error:
            self.counters.failures += 1
            if breaker.report(ticket, succeeded=False):
                reason = str(error) or f"no answer within {self._timeout_seconds:g} s"
                logger.warning(
                    "%s the cache %s fails, and is tried again once in %g s: %s",
                    *(doing, self.address, PAUSE_SECONDS, reason),
                )
            return None
        if breaker.report(ticket, succeeded=True):
            logger.info("%s the cache %s works again", doing, self.address)
        return answer

    async def _in_place(self, exchange: Callable[[], Awaitable[T]]) -> T:
        async with self._places:
            return await exchange()

    async def _read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        answer = await self._redis.mget([KEY_PREFIX + key for key in keys])
        return [self._unseal(key, stored) for key, stored in zip(keys, answer, strict=True)]

    async def _write(self, items: Mapping[bytes, bytes]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key, value in items.items():
                pipeline.set(KEY_PREFIX + key, seal(key, value), px=self._ttl_ms)
            # The error that redis-py would raise repeats the command, and with it the value, which is
            # not for the log.
            for result in await pipeline.execute(raise_on_error=False):
                if isinstance(result, Exception):
                    raise result

    def _unseal(self, key: bytes, stored: bytes | str | None) -> bytes | None:
        value = unseal(key, stored) if isinstance(stored, bytes) else None
        if value is None and stored is not None:
            self.counters.corrupt += 1
            if not self._has_logged_corruption:
                self._has_logged_corruption = True
                logger.warning(
                    "the cache %s holds values that no server of this kind wrote; they count as misses",
                    self.address,
                )
        return value


def _breaker(clock: Callable[[], float]) -> CircuitBreaker:
    return CircuitBreaker(threshold=FAILURES_TO_OPEN, pause_seconds=PAUSE_SECONDS, clock=clock)
