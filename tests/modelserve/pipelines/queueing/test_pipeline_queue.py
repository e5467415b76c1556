"""The queue on a real Redis: wake-ups come once as a rule, and after whatever happens they come again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from databases import RedisProcess

from modelserve.concurrency import end_all
from modelserve.pipelines.queueing import LocalQueue, Queue, broker
from modelserve.pipelines.queueing.broker import GROUP, STREAM, WakeupBroker
from modelserve.pipelines.queueing.redis import RedisQueue


@asynccontextmanager
async def queue_on(server: RedisProcess, *, abandoned_seconds: float = 60.0) -> AsyncIterator[RedisQueue]:
    queue = RedisQueue(WakeupBroker(server.url, abandoned_seconds=abandoned_seconds))
    try:
        yield queue
    finally:
        await queue.close()


async def next_of(queue: Queue, *, seconds: float = 20.0) -> str:
    """The next wake-up, settled."""
    wakeup = await asyncio.wait_for(queue.next(), seconds)
    await wakeup.settle()
    return wakeup.run_id


def pending(server: RedisProcess) -> int:
    found: Any = server.client.xpending(STREAM, GROUP)
    return int(found["pending"])


async def test_wake_ups_in_one_process_come_in_order() -> None:
    queue = LocalQueue()
    for name in "abc":
        await queue.wake(name)
    assert [await next_of(queue) for _ in range(3)] == ["a", "b", "c"]
    await queue.close()


async def test_what_came_before_there_was_a_worker_is_for_the_first(redis_server: RedisProcess) -> None:
    async with queue_on(redis_server) as service:
        await service.wake("a")
        await service.wake("b")
        (group,) = redis_server.client.xinfo_groups(STREAM)
        assert (group["name"], group["lag"]) == (GROUP.encode(), 2), "by this workers are scaled from zero"
    async with queue_on(redis_server) as worker:
        first = await worker.next()
        assert (first.run_id, pending(redis_server)) == ("a", 1), "and by this they stay"
        await first.settle()
        assert await next_of(worker) == "b"
        assert pending(redis_server) == 0


async def test_a_wake_up_is_one_worker_s(redis_server: RedisProcess) -> None:
    async with queue_on(redis_server) as one, queue_on(redis_server) as two:
        for number in range(20):
            await one.wake(str(number))
        found = [await next_of(queue) for _ in range(10) for queue in (one, two)]
        assert sorted(found, key=int) == [str(number) for number in range(20)]


async def test_redis_comes_back_empty(start_redis: Callable[..., RedisProcess]) -> None:
    server = start_redis()
    async with queue_on(server) as service, queue_on(server) as worker:
        await service.wake("a")
        assert await next_of(worker) == "a"
        waiting = asyncio.create_task(next_of(worker, seconds=60.0))
        await asyncio.sleep(0.1)
        server.kill()
        await service.wake("lost")
        await asyncio.sleep(0.5)
        server.start()
        while not waiting.done():
            await service.wake("b")
            await asyncio.sleep(0.5)
        assert waiting.result() == "b"


async def test_redis_is_not_there_and_nobody_waits_for_it(
    redis_server: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with queue_on(redis_server) as queue:
        redis_server.hang()
        began = time.monotonic()
        await queue.wake("a")
        assert time.monotonic() - began < 6.0
        redis_server.go_on()
    assert "run a is not woken, and has to wait for the sweep" in caplog.text


async def test_a_dead_worker_s_wake_up_is_another_s_though_no_new_ones_come(
    redis_server: RedisProcess,
) -> None:
    async with queue_on(redis_server) as dead:
        await dead.wake("a")
        assert (await dead.next()).run_id == "a"
    async with queue_on(redis_server, abandoned_seconds=1.0) as worker:
        assert await next_of(worker) == "a"
        assert pending(redis_server) == 0


async def test_what_a_worker_is_at_stays_its_own(redis_server: RedisProcess) -> None:
    async with (
        queue_on(redis_server, abandoned_seconds=1.0) as one,
        queue_on(redis_server, abandoned_seconds=1.0) as two,
    ):
        await one.wake("a")
        held = await one.next()
        with pytest.raises(asyncio.TimeoutError):
            await next_of(two, seconds=4.0)
        assert pending(redis_server) == 1
        await held.settle()
        assert pending(redis_server) == 0


async def test_workers_that_are_gone_are_taken_out_of_the_group(
    redis_server: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with queue_on(redis_server) as gone:
        await gone.wake("a")
        await next_of(gone)
    (consumer,) = redis_server.client.xinfo_consumers(STREAM, GROUP)
    monkeypatch.setattr(broker, "_GONE_SECONDS", 3.0)
    async with queue_on(redis_server, abandoned_seconds=1.0) as worker:
        listening = asyncio.create_task(next_of(worker, seconds=60.0))
        until = time.monotonic() + 40.0
        while consumer["name"] in [one["name"] for one in redis_server.client.xinfo_consumers(STREAM, GROUP)]:
            assert time.monotonic() < until
            await asyncio.sleep(0.2)
        await worker.wake("b")
        assert await listening == "b"


async def test_what_is_no_wake_up_is_passed_over(
    redis_server: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with queue_on(redis_server) as queue:
        await queue.wake("a")
        redis_server.client.xadd(STREAM, {"data": b"{}"})
        await queue.wake("b")
        assert [await next_of(queue) for _ in range(2)] == ["a", "b"]
    assert "a message that is no wake-up" in caplog.text
    assert pending(redis_server) == 0


async def test_who_listens_can_be_ended_at_any_moment(redis_server: RedisProcess) -> None:
    """redis-py swallows a cancellation that comes while it connects."""
    for step in range(0, 30, 3):
        async with queue_on(redis_server) as queue:
            listening = asyncio.create_task(queue.next())
            for _ in range(step):
                await asyncio.sleep(0)
            await asyncio.wait_for(end_all([listening]), 20)
            assert listening.cancelled()
