"""Mirrored calls compared beside their sender: so many at a time, no more, and all of them counted."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from modelserve.events import Pair
from modelserve.shadow.comparison import Shadow
from modelserve.shadow.live import LiveShadow
from modelserve.shadow.metrics import ShadowMetrics
from modelserve.shadow.rate import TokenBucket
from modelserve.shadow.replaying import Replayer
from modelserve.shadow.results import Results
from modelserve.shadow.verdicts import Criteria


class Live:
    """A live shadow of a server, and where it counts."""

    def __init__(
        self,
        url: str,
        *,
        results: Results | None = None,
        at_once: int = 2,
        rate: float = 1e6,
        **arguments: Any,
    ) -> None:
        self.results = results or Results(Criteria(), examples=1)
        self.registry = CollectorRegistry()
        shadow = Shadow(
            Replayer(url, at_once=at_once),
            self.results,
            ShadowMetrics(self.registry),
            rate=TokenBucket(rate),
        )
        self.shadow = LiveShadow(shadow, at_once=at_once, **arguments)
        self._is_open = True

    def offer(self, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            self.shadow.offer(pair)

    def outcomes(self) -> dict[str, int]:
        if self._is_open:
            return self.shadow.ask(lambda: dict(self.results.outcomes))
        return dict(self.results.outcomes)

    async def ends_with(self, **outcomes: int) -> None:
        deadline = time.monotonic() + 30
        while (found := self.outcomes()) != outcomes:
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.01)

    async def close(self, *, timeout_seconds: float = 30.0) -> None:
        if self._is_open:
            await asyncio.to_thread(self.shadow.close, timeout_seconds=timeout_seconds)
            self._is_open = False


Open = Callable[..., Live]


@pytest.fixture
async def live() -> AsyncIterator[Open]:
    """Opens live shadows, which end with the test."""
    opened: list[Live] = []

    def open_one(url: str, **arguments: Any) -> Live:
        opened.append(Live(url, **arguments))
        return opened[-1]

    yield open_one
    for one in opened:
        await one.close(timeout_seconds=0.0)


@pytest.fixture
def go_on() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def held(start_target: Any, answering: Any, calls: Any, go_on: asyncio.Event) -> Any:
    """A server whose answers wait for ``go_on``."""
    answer = answering(calls.answer())

    async def reply(received: Any, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await answer(received, writer)

    return await start_target(reply)


async def test_calls_are_compared_while_others_come(
    start_target: Any, answering: Any, calls: Any, live: Open
) -> None:
    target = await start_target(answering(calls.answer(("PER", 0, 13))))
    one = live(target.url, at_once=100)
    answers = [calls.answer(("PER", 0, 13)), calls.answer(("ORG", 0, 13))]
    one.offer(calls.pair(number, answers[number % 5 == 0]) for number in range(50))
    await one.ends_with(agreed=40, disagreed=10)


async def test_what_finds_no_room_is_skipped(held: Any, go_on: asyncio.Event, calls: Any, live: Open) -> None:
    one = live(held.url, at_once=3)
    one.offer(calls.pair(number, calls.answer()) for number in range(10))
    await one.ends_with(skipped_busy=7)
    while len(held.received) < 3:
        await asyncio.sleep(0.01)
    go_on.set()
    await one.ends_with(skipped_busy=7, agreed=3)
    assert held.most_at_once == 3
    one.offer([calls.pair(10, calls.answer())])
    await one.ends_with(skipped_busy=7, agreed=4)


async def test_payloads_in_progress_have_a_bound_and_one_call_has_none(
    held: Any, go_on: asyncio.Event, calls: Any, live: Open
) -> None:
    one = live(held.url, at_once=8, most_bytes=2000)
    large = calls.pair(0, calls.answer(), text="x" * 5000)
    small = [calls.pair(number, calls.answer()) for number in range(1, 4)]
    one.offer([large, *small])
    await one.ends_with(skipped_busy=3)
    go_on.set()
    await one.ends_with(skipped_busy=3, agreed=1)
    go_on.clear()
    one.offer([*small, large])
    await one.ends_with(skipped_busy=4, agreed=1)
    go_on.set()
    await one.ends_with(skipped_busy=4, agreed=4)


async def test_what_is_above_the_rate_is_skipped(
    start_target: Any, answering: Any, calls: Any, live: Open
) -> None:
    target = await start_target(answering(calls.answer()))
    one = live(target.url, at_once=100, rate=0.001)
    one.offer(calls.pair(number, calls.answer()) for number in range(20))
    await one.ends_with(agreed=1, skipped_rate=19)
    assert len(target.received) == 1


async def test_a_server_that_dies_and_comes_back(
    start_target: Any, answering: Any, calls: Any, live: Open
) -> None:
    is_dead, answer = False, answering(calls.answer())

    async def reply(received: Any, writer: asyncio.StreamWriter) -> None:
        if is_dead:
            writer.close()
        else:
            await answer(received, writer)

    one = live((await start_target(reply)).url, at_once=100)
    one.offer(calls.pair(number, calls.answer()) for number in range(10))
    await one.ends_with(agreed=10)
    is_dead = True
    one.offer(calls.pair(number, calls.answer()) for number in range(10, 15))
    await one.ends_with(agreed=10, failed_lost=5)
    is_dead = False
    one.offer(calls.pair(number, calls.answer()) for number in range(15, 20))
    await one.ends_with(agreed=15, failed_lost=5)


async def test_the_end_waits_for_calls_in_progress(
    held: Any, go_on: asyncio.Event, calls: Any, live: Open
) -> None:
    one = live(held.url)
    one.offer(calls.pair(number, calls.answer()) for number in range(2))
    closing = asyncio.create_task(one.close())
    while len(held.received) < 2:
        await asyncio.sleep(0.01)
    assert not closing.done()
    go_on.set()
    await closing
    assert one.outcomes() == {"agreed": 2}


async def test_the_end_does_not_wait_for_a_server_that_hangs(held: Any, calls: Any, live: Open) -> None:
    one = live(held.url)
    one.offer(calls.pair(number, calls.answer()) for number in range(2))
    await one.close(timeout_seconds=0.1)
    assert one.outcomes() == {"interrupted": 2}


async def test_a_call_that_raises_is_counted_and_the_next_is_compared(
    start_target: Any, answering: Any, calls: Any, live: Open, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(Results):
        """Fails at its first call."""

        def answered_by(self, *sources: Any) -> None:
            if self.disagreement.count == 1:
                raise MemoryError
            super().answered_by(*sources)

    target = await start_target(answering(calls.answer()))
    one = live(target.url, results=Full(Criteria(), examples=1))
    one.offer([calls.pair(0, calls.answer())])
    await one.ends_with(agreed=1, broken=1)
    one.offer([calls.pair(1, calls.answer())])
    await one.ends_with(agreed=2, broken=1)
    assert "a call could not be compared" in caplog.text


async def test_memory_does_not_grow_while_a_server_hangs(held: Any, calls: Any, live: Open) -> None:
    one = live(held.url, at_once=2)
    answer, text = calls.answer(), "x" * 100_000
    one.offer(calls.pair(number, answer, text=text) for number in range(100))
    tracemalloc.start()
    one.offer(calls.pair(number, answer, text=text) for number in range(100, 1000))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert one.outcomes() == {"skipped_busy": 998}
    assert grown < 5 * len(text)


async def test_models_and_revisions_beyond_the_first_few_are_one_series(
    start_target: Any, calls: Any, live: Open
) -> None:
    number = 0

    async def reply(_: Any, writer: asyncio.StreamWriter) -> None:
        nonlocal number
        number += 1
        body = calls.answer(revision=f"new-{number}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()

    one = live((await start_target(reply)).url, at_once=100)
    one.offer(calls.pair(number, calls.answer()) for number in range(50))
    await one.ends_with(agreed=50)
    (family,) = (f for f in one.registry.collect() if f.name == "modelserve_shadow_compared")
    series = {s.labels["revision"]: s.value for s in family.samples if s.name.endswith("_total")}
    assert len(series) == 21
    assert series["other"] == 30
