"""What a failing Redis costs: misses, never an error, and never a wait for each call."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelserve.cache.redis_cache import (
    FAILURES_TO_OPEN,
    KEY_PREFIX,
    PAUSE_SECONDS,
    RedisAddress,
    RedisCache,
)

# The machine that tests may be busy. What must fail by timeout has a short one, and all else a long one.
BRIEF_SECONDS = 0.2
PATIENT_SECONDS = 30.0


def key(number: int) -> bytes:
    return number.to_bytes(32, "little")


OpenCache = Callable[..., RedisCache]


@pytest.fixture
async def open_at(clock: Any) -> AsyncIterator[OpenCache]:
    """Opens caches at ports, and closes them after the test."""
    caches: list[RedisCache] = []

    def open_at(port: int, *, timeout_seconds: float, host: str = "127.0.0.1", **login: str) -> RedisCache:
        address = RedisAddress(host, port, 0, is_tls=False, **login)
        caches.append(RedisCache(address, ttl_seconds=60, timeout_seconds=timeout_seconds, clock=clock))
        return caches[-1]

    yield open_at
    for cache in caches:
        # A Redis that hangs must not keep a server from ending.
        await asyncio.wait_for(cache.close(), PATIENT_SECONDS)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The log lines, each as its level and what it says of reading or writing."""
    return [f"{record.levelname} {record.getMessage().split(' the cache')[0]}" for record in caplog.records]


async def expect_misses(cache: RedisCache, *, calls: int = 20) -> None:
    """Make calls that all miss, of which only those that open the circuit reach Redis."""
    before = cache.counters.failures
    for _ in range(calls):
        assert await asyncio.wait_for(cache.get_many([key(1), key(2)]), PATIENT_SECONDS) == [None, None]
    assert cache.counters.failures - before == FAILURES_TO_OPEN


async def let_the_loop_notice() -> None:
    """Let the event loop see what happened to its connections while a test had the thread."""
    for _ in range(3):
        await asyncio.sleep(0.01)


async def recover(cache: RedisCache, clock: Any, number: int, value: bytes) -> None:
    """Let pauses pass until a value is found again; until then it is missing, and never another."""
    for _ in range(100):
        clock.now += PAUSE_SECONDS
        await cache.put_many({key(number): value})
        found = await cache.get_many([key(number)])
        if found == [value]:
            return
        assert found == [None]
    pytest.fail("the cache did not find its way back")


async def test_a_redis_that_is_killed_and_comes_back(
    redis_server: Any, clock: Any, open_at: OpenCache, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modelserve")
    cache = open_at(redis_server.port, timeout_seconds=PATIENT_SECONDS)
    await cache.put_many({key(1): b"one"})
    assert await cache.get_many([key(1)]) == [b"one"]
    redis_server.kill()
    await expect_misses(cache)
    assert lines(caplog) == ["WARNING reading"]
    # Every pause ends with a try, which fails and is no news.
    for _ in range(5):
        clock.now += PAUSE_SECONDS
        for _ in range(5):
            assert await cache.get_many([key(1)]) == [None]
    assert cache.counters.failures == FAILURES_TO_OPEN + 5
    assert lines(caplog) == ["WARNING reading"]
    redis_server.start()
    # Not before the pause is over.
    assert await cache.get_many([key(1)]) == [None]
    await recover(cache, clock, 1, b"new")
    assert lines(caplog) == ["WARNING reading", "INFO reading"]


async def test_a_restart_between_two_calls_costs_nothing_but_the_values(
    redis_server: Any, open_at: OpenCache
) -> None:
    cache = open_at(redis_server.port, timeout_seconds=PATIENT_SECONDS)
    await cache.put_many({key(1): b"one"})
    redis_server.kill()
    redis_server.start()
    await let_the_loop_notice()
    assert await cache.get_many([key(1)]) == [None]
    await cache.put_many({key(1): b"new"})
    assert await cache.get_many([key(1)]) == [b"new"]
    assert cache.counters.failures == 0


async def test_an_idle_connection_that_redis_closed_is_replaced(
    redis_server: Any, open_at: OpenCache
) -> None:
    cache = open_at(redis_server.port, timeout_seconds=PATIENT_SECONDS)
    await cache.put_many({key(1): b"one"})
    assert redis_server.client.client_kill_filter(_type="normal", skipme=True) == 1
    await let_the_loop_notice()
    assert await cache.get_many([key(1)]) == [b"one"]
    assert cache.counters.failures == 0


@pytest.mark.parametrize("is_connected", [True, False])
async def test_a_redis_that_hangs(
    redis_server: Any, clock: Any, open_at: OpenCache, caplog: pytest.LogCaptureFixture, is_connected: bool
) -> None:
    cache = open_at(redis_server.port, timeout_seconds=BRIEF_SECONDS)
    if is_connected:
        await recover(cache, clock, 1, b"one")
    caplog.set_level(logging.INFO, "modelserve")
    redis_server.hang()
    await expect_misses(cache)
    for number in range(20):
        await asyncio.wait_for(cache.put_many({key(number): b"late"}), PATIENT_SECONDS)
    assert lines(caplog) == ["WARNING reading", "WARNING writing"]
    assert "no answer within 0.2 s" in caplog.text
    redis_server.go_on()
    await recover(cache, clock, 1, b"new")
    await recover(cache, clock, 2, b"two")
    assert cache.counters.corrupt == 0


async def test_calls_at_once_to_a_redis_that_hangs_all_miss(redis_server: Any, open_at: OpenCache) -> None:
    # More of them than there are connections: those that wait for one must not wait longer.
    cache = open_at(redis_server.port, timeout_seconds=BRIEF_SECONDS)
    redis_server.hang()
    calls = [cache.get_many([key(number)]) for number in range(200)]
    assert await asyncio.wait_for(asyncio.gather(*calls), PATIENT_SECONDS) == [[None]] * 200
    failures = cache.counters.failures
    assert await cache.get_many([key(1)]) == [None]
    assert cache.counters.failures == failures


async def test_answers_that_come_as_the_time_is_up_are_not_mixed_up(
    redis_server: Any, clock: Any, open_at: OpenCache
) -> None:
    chance = random.Random(1)
    cache = open_at(redis_server.port, timeout_seconds=BRIEF_SECONDS)
    items = {key(number): f"value {number}".encode() for number in range(30)}
    for number, value in enumerate(items.values()):
        await recover(cache, clock, number, value)
    for _ in range(10):
        redis_server.hang()
        calls = asyncio.gather(*(cache.get_many([each]) for each in items))
        await asyncio.sleep(BRIEF_SECONDS * chance.uniform(0.95, 1.05))
        redis_server.go_on()
        for value, found in zip(items.values(), await calls, strict=True):
            assert found in ([value], [None])
        for number in range(0, 30, 5):
            await recover(cache, clock, number, items[key(number)])
    # A mixed-up answer would not have opened under the other key.
    assert cache.counters.corrupt == 0
    assert cache.counters.failures > 0


async def test_a_caller_that_leaves_during_the_trial_leaves_its_result(
    redis_server: Any, clock: Any, open_at: OpenCache
) -> None:
    cache = open_at(redis_server.port, timeout_seconds=PATIENT_SECONDS)
    await cache.put_many({key(1): b"one"})
    redis_server.kill()
    await expect_misses(cache)
    redis_server.start()
    clock.now += PAUSE_SECONDS
    trial = asyncio.create_task(cache.get_many([key(1)]))
    await asyncio.sleep(0)
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    for _ in range(10_000):
        await cache.put_many({key(1): b"new"})
        if await cache.get_many([key(1)]) == [b"new"]:
            break
    else:
        pytest.fail("the circuit stayed open after its trial")


async def test_a_full_redis_refuses_values_and_still_gives_them(
    redis_server: Any, clock: Any, open_at: OpenCache, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modelserve")
    cache = open_at(redis_server.port, timeout_seconds=PATIENT_SECONDS)
    await cache.put_many({key(1): b"one"})
    redis_server.client.config_set("maxmemory-policy", "noeviction")
    redis_server.client.config_set("maxmemory", "1")
    for number in range(10):
        await cache.put_many({key(2): b"a caller's secret", key(3): b"three", key(number + 4): b"more"})
        assert await cache.get_many([key(1), key(2)]) == [b"one", None]
    assert cache.counters.failures == FAILURES_TO_OPEN
    assert lines(caplog) == ["WARNING writing"]
    assert "maxmemory" in caplog.text
    assert "secret" not in caplog.text
    redis_server.client.config_set("maxmemory", "0")
    clock.now += PAUSE_SECONDS
    await cache.put_many({key(2): b"two"})
    assert await cache.get_many([key(1), key(2)]) == [b"one", b"two"]
    assert lines(caplog) == ["WARNING writing", "INFO writing"]


async def test_a_full_redis_that_evicts_only_forgets(redis_server: Any, open_at: OpenCache) -> None:
    cache = open_at(redis_server.port, timeout_seconds=PATIENT_SECONDS)
    redis_server.client.config_set("maxmemory-policy", "allkeys-lru")
    redis_server.client.config_set(
        "maxmemory", int(redis_server.client.info("memory")["used_memory"]) + 300_000
    )
    items = {key(number): bytes([number % 256]) * 10_000 for number in range(200)}
    for each, value in items.items():
        await cache.put_many({each: value})
    found = await cache.get_many(list(items))
    assert all(value in (None, items[each]) for each, value in zip(items, found, strict=True))
    assert None in found
    assert found[-1] == items[key(199)]
    assert cache.counters.failures == 0


async def test_a_redis_that_takes_no_writes(start_redis: Any, redis_server: Any, open_at: OpenCache) -> None:
    replica = start_redis("--replicaof", "127.0.0.1", str(redis_server.port))
    cache = open_at(replica.port, timeout_seconds=PATIENT_SECONDS)
    for _ in range(10):
        await cache.put_many({key(1): b"one"})
    assert cache.counters.failures == FAILURES_TO_OPEN
    assert await cache.get_many([key(1)]) == [None]


@asynccontextmanager
async def peer(answer: bytes) -> AsyncIterator[int]:
    """A server that is no Redis: whatever it is sent, it says the same, or closes if it has nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while answer and await reader.read(65536):
                writer.write(answer)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"+OK\r\n",
        b":1\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*1\r\n$-1\r\n",
        b"*3\r\n$-1\r\n$-1\r\n$-1\r\n",
        b"*2\r\n*0\r\n:1\r\n",
        b"*x\r\n",
        b"*999999999\r\n",
        b"$999999999999\r\nabc",
        b"*2\r\n$3\r\nabcdef\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"\r\n\r\n",
        b"*2\r\n$1\r\na\r\n$1\r\nb\r\n" * 3,
        bytes(range(256)),
    ],
)
async def test_what_is_no_redis_is_a_miss(clock: Any, open_at: OpenCache, answer: bytes) -> None:
    async with peer(answer) as port:
        cache = open_at(port, timeout_seconds=0.05)
        for _ in range(5):
            assert await asyncio.wait_for(cache.get_many([key(1), key(2)]), PATIENT_SECONDS) == [None, None]
            await asyncio.wait_for(cache.put_many({key(1): b"one", key(2): b"two"}), PATIENT_SECONDS)
            clock.now += PAUSE_SECONDS
        assert cache.counters.failures or cache.counters.corrupt
        # The peer ends with its last connection.
        await cache.close()


async def test_a_call_tries_once(open_at: OpenCache) -> None:
    connections = 0

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        cache = open_at(server.sockets[0].getsockname()[1], timeout_seconds=PATIENT_SECONDS)
        await expect_misses(cache)
    assert connections == FAILURES_TO_OPEN


async def test_nobody_under_the_name(
    clock: Any, open_at: OpenCache, caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_at(6379, host="cache.invalid", password="secret", timeout_seconds=PATIENT_SECONDS)
    await expect_misses(cache)
    assert lines(caplog) == ["WARNING reading"]
    assert "redis://cache.invalid:6379/0" in caplog.text
    assert "secret" not in caplog.text


async def test_keys_that_a_failing_redis_was_not_asked_for_are_misses(
    redis_server: Any, open_at: OpenCache
) -> None:
    cache = open_at(redis_server.port, timeout_seconds=PATIENT_SECONDS)
    redis_server.kill()
    await expect_misses(cache, calls=10)
    assert (cache.counters.hits, cache.counters.misses) == (0, 20)
    redis_server.start()
    assert not redis_server.client.keys(KEY_PREFIX + b"*")
