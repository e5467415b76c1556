"""The batcher with a real event loop and its real thread; the engine is a gate that the test opens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from modelserve.batching.batcher import Batcher, Computed
from modelserve.batching.planner import BatchPolicy, Unit
from modelserve.errors import DeadlineExceeded, InvalidInput


class Doubling:
    """Doubles numbers; keeps its batches, waits at its gate, and refuses a negative number."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        if is_open:
            self.gate.set()

    def __call__(self, batch: Sequence[int]) -> list[int]:
        self.batches.append(list(batch))
        self.entered.set()
        assert self.gate.wait(30)
        if min(batch) < 0:
            raise InvalidInput("a negative number")
        return [2 * value for value in batch]


async def call(
    batcher: Batcher[int, int], *values: int, timeout_seconds: float | None = None
) -> Computed[int]:
    assert batcher.enter()
    try:
        return await batcher.submit([Unit(v, 1) for v in values], timeout_seconds=timeout_seconds)
    finally:
        batcher.leave(submitted=True)


async def held(engine: Doubling, batcher: Batcher[int, int]) -> asyncio.Task[Computed[int]]:
    """A call that is in the engine."""
    first = asyncio.create_task(call(batcher, 1000))
    assert await asyncio.to_thread(engine.entered.wait, 30)
    return first


async def queued(batcher: Batcher[int, int], count: int) -> None:
    while batcher.waiting != count:
        await asyncio.sleep(0.001)


async def test_answers_go_to_their_own_calls() -> None:
    engine = Doubling()
    batcher = Batcher(engine, BatchPolicy(budget=7))
    calls = [call(batcher, *range(start, start + start % 5 + 1)) for start in range(300)]
    answers = await asyncio.gather(*calls)
    for start, answer in enumerate(answers):
        assert answer.outputs == [2 * value for value in range(start, start + start % 5 + 1)]
        assert answer.queued_ns <= answer.began_ns <= answer.ended_ns
    assert max(map(len, engine.batches)) == 7
    assert batcher.waiting == 0


async def test_what_waits_while_the_engine_is_busy_is_computed_together() -> None:
    engine = Doubling(is_open=False)
    batcher = Batcher(engine, BatchPolicy(budget=64))
    first = await held(engine, batcher)
    others = [asyncio.create_task(call(batcher, value)) for value in range(20)]
    await queued(batcher, 20)
    engine.gate.set()
    answers = await asyncio.gather(first, *others)
    assert [answer.outputs for answer in answers] == [[2000], *([2 * value] for value in range(20))]
    assert engine.batches == [[1000], list(range(20))]
    assert answers[1].largest_batch == 20


async def test_a_failing_call_fails_alone() -> None:
    engine = Doubling(is_open=False)
    batcher = Batcher(engine, BatchPolicy(budget=64))
    first = await held(engine, batcher)
    calls = [asyncio.create_task(call(batcher, *values)) for values in ((1, 2), (3, -1), (4,))]
    await queued(batcher, 3)
    engine.gate.set()
    await first
    good, bad, also_good = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(good, Computed)
    assert isinstance(also_good, Computed)
    assert (good.outputs, also_good.outputs) == ([2, 4], [8])
    assert isinstance(bad, InvalidInput)
    assert batcher.waiting == 0


async def test_a_cancelled_call_leaves_the_queue() -> None:
    engine = Doubling(is_open=False)
    batcher = Batcher(engine, BatchPolicy(budget=64))
    first = await held(engine, batcher)
    cancelled, kept = (asyncio.create_task(call(batcher, value)) for value in (5, 6))
    await queued(batcher, 2)
    cancelled.cancel()
    await queued(batcher, 1)
    engine.gate.set()
    assert (await kept).outputs == [12]
    assert (await first).outputs == [2000]
    assert engine.batches == [[1000], [6]]
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_an_expired_call_leaves_the_queue() -> None:
    engine = Doubling(is_open=False)
    batcher = Batcher(engine, BatchPolicy(budget=64))
    first = await held(engine, batcher)
    with pytest.raises(DeadlineExceeded, match="passed in the queue"):
        await call(batcher, 5, timeout_seconds=0.01)
    assert batcher.waiting == 0
    engine.gate.set()
    await first
    assert engine.batches == [[1000]]


async def test_what_has_begun_is_computed_to_its_end() -> None:
    engine = Doubling(is_open=False)
    batcher = Batcher(engine, BatchPolicy(budget=64))
    late = asyncio.create_task(call(batcher, 7, timeout_seconds=0.01))
    assert await asyncio.to_thread(engine.entered.wait, 30)
    await asyncio.sleep(0.05)
    engine.gate.set()
    assert (await late).outputs == [14]


async def test_the_engine_waits_for_calls_that_are_being_prepared() -> None:
    engine = Doubling()
    batcher = Batcher(engine, BatchPolicy(budget=64), window_seconds=30)
    for value in (1, 2):  # tells the batcher how fast calls come
        await call(batcher, value)
    assert batcher.enter()  # one more, which is being decoded
    assert batcher.enter()
    early = asyncio.create_task(batcher.submit([Unit(3, 1)]))
    await asyncio.sleep(0)
    late = await batcher.submit([Unit(4, 1)])
    assert late.outputs == [8]
    assert (await early).outputs == [6]
    assert engine.batches == [[1], [2], [3, 4]]


async def test_a_closed_batcher_answers_what_is_inside_and_ends() -> None:
    engine = Doubling(is_open=False)
    batcher = Batcher(engine, BatchPolicy(budget=1), name="closing")
    first = await held(engine, batcher)
    second = asyncio.create_task(call(batcher, 2))
    await queued(batcher, 1)
    assert batcher.enter()
    batcher.close()
    assert not batcher.enter()
    engine.gate.set()
    assert [answer.outputs for answer in await asyncio.gather(first, second)] == [[2000], [4]]
    assert (await batcher.submit([Unit(3, 1)])).outputs == [6]
    batcher.leave(submitted=True)
    while "closing" in [thread.name for thread in threading.enumerate()]:
        await asyncio.sleep(0.001)


async def test_a_call_that_failed_to_be_decoded_is_gone() -> None:
    batcher = Batcher(Doubling(), BatchPolicy(budget=1))
    assert batcher.enter()
    assert batcher.waiting == 1
    batcher.leave(submitted=False)
    assert batcher.waiting == 0


async def idle(batcher: Batcher[int, int]) -> None:
    """Wait until a call has been answered and the thread waits again."""
    await call(batcher, 1)
    assert batcher.enter()
    try:
        while (future := batcher.run_alone(lambda: None)) is None:
            await asyncio.sleep(0.001)
        await future
    finally:
        batcher.leave(submitted=True)
    await asyncio.sleep(0.05)


async def test_a_call_that_finds_nobody_runs_on_the_engines_thread() -> None:
    engine = Doubling()
    batcher = Batcher(engine, BatchPolicy(budget=64), name="the engine's")
    await idle(batcher)
    assert batcher.enter()
    future = batcher.run_alone(lambda: (threading.current_thread().name, batcher.compute_now([3, 4])))
    assert future is not None
    assert batcher.waiting == 0  # it has begun: it takes no place in the queue
    assert await future == ("the engine's", [6, 8])
    batcher.leave(submitted=True)
    assert (await call(batcher, 5)).outputs == [10]


async def test_a_call_with_others_goes_the_usual_way() -> None:
    engine = Doubling(is_open=False)
    batcher = Batcher(engine, BatchPolicy(budget=64))
    first = await held(engine, batcher)
    assert batcher.enter()
    assert batcher.run_alone(lambda: None) is None
    batcher.leave(submitted=False)
    engine.gate.set()
    await first


async def test_others_queue_behind_a_call_alone_and_it_fails_alone() -> None:
    engine = Doubling()
    batcher = Batcher(engine, BatchPolicy(budget=64))
    await idle(batcher)
    engine.gate.clear()
    engine.entered.clear()
    assert batcher.enter()
    alone = batcher.run_alone(lambda: batcher.compute_now([-1]))
    assert alone is not None
    assert await asyncio.to_thread(engine.entered.wait, 30)
    others = [asyncio.create_task(call(batcher, value)) for value in range(5)]
    await queued(batcher, 5)
    engine.gate.set()
    with pytest.raises(InvalidInput):
        await alone
    batcher.leave(submitted=True)
    assert [answer.outputs for answer in await asyncio.gather(*others)] == [[2 * v] for v in range(5)]
    assert engine.batches[-1] == list(range(5))


async def test_a_call_alone_may_rejoin_the_queue() -> None:
    batcher = Batcher(Doubling(), BatchPolicy(budget=64))
    await idle(batcher)
    assert batcher.enter()
    alone = batcher.run_alone(lambda: "too large for one batch")
    assert alone is not None
    assert await alone == "too large for one batch"
    batcher.rejoin()
    assert batcher.waiting == 1
    assert (await batcher.submit([Unit(7, 1)])).outputs == [14]
    batcher.leave(submitted=True)
    assert batcher.waiting == 0


async def test_a_caller_that_leaves_a_call_alone_holds_up_nobody() -> None:
    engine = Doubling()
    batcher = Batcher(engine, BatchPolicy(budget=64))
    await idle(batcher)
    engine.gate.clear()
    engine.entered.clear()
    assert batcher.enter()
    alone = batcher.run_alone(lambda: batcher.compute_now([1]))
    assert alone is not None
    assert await asyncio.to_thread(engine.entered.wait, 30)
    alone.cancel()
    batcher.leave(submitted=True)
    engine.gate.set()
    assert (await call(batcher, 2)).outputs == [4]
    batcher.close()
