"""The way of a call through a loaded model: decode, prepare, queue and engine, finish, encode.

The event loop only passes the call on. What costs time runs on threads: decoding and preparing on as
many as there are cores, the engine on one of its own, finishing and encoding on another, so that all of
them work at once on different calls.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from modelserve.batching.batcher import Batcher, Observer
from modelserve.batching.planner import choose_batch
from modelserve.cache import ResponseCache
from modelserve.cache.keys import cache_key
from modelserve.engines.cores import available_cores
from modelserve.errors import DeadlineExceeded
from modelserve.exchange import Exchange
from modelserve.task import Call, Prepared, Task

AnswerT = TypeVar("AnswerT")
ResultT = TypeVar("ResultT")

AnyTask = Task[Any, Any, Any, Any, Any]

AllPrepared = list[Prepared[Any, Any, Any]]

_Ready = tuple[Call[Any, Any], AllPrepared, dict[int, bytes]]
"""A call, its items, and the keys of those, by position, whose results are to be kept."""

_TOO_LATE = "the caller's deadline passed while its call was prepared"

_DECODERS = ThreadPoolExecutor(max(2, available_cores()), thread_name_prefix="decode")
_ENCODERS = ThreadPoolExecutor(1, thread_name_prefix="encode")
"""Shared by all models of the process. Answers have a thread of their own: behind the decoding of calls
that have only arrived, those that are done would wait."""


async def on_decoders(work: Callable[[], ResultT]) -> ResultT:
    """Run what decodes a call beside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_DECODERS, work)


async def on_encoders(work: Callable[[], ResultT]) -> ResultT:
    """Run what encodes an answer beside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_ENCODERS, work)


@dataclass(slots=True)
class Timeline:
    """What became of one call, filled in on its way.

    ``phases`` are names with their beginning and end in ``time.time_ns``. ``labels`` and ``scores``
    are what was predicted, and how sure the model was.
    """

    phases: list[tuple[str, int, int]] = field(default_factory=list)
    batch_size: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    labels: Sequence[str] = ()
    scores: Sequence[float] = ()


class Execution:
    """A loaded task and the batcher that computes for it.

    Args:
        task: the model.
        name: of the model, for its thread.
        window_seconds: the batcher's longest wait for company.
        observe: told of each batch.
    """

    def __init__(self, task: AnyTask, *, name: str, window_seconds: float, observe: Observer | None) -> None:
        self.task = task
        self.batcher: Batcher[Any, Any] = Batcher(
            task.compute, task.policy, window_seconds=window_seconds, name=name, observe=observe
        )

    async def answer(
        self,
        exchange: Exchange[AnswerT],
        timeline: Timeline,
        *,
        timeout_seconds: float | None,
        cache: ResponseCache | None,
    ) -> AnswerT:
        """Answer a call for which the batcher was entered; leaves it in any case.

        Args:
            exchange: the call.
            timeline: is filled in.
            timeout_seconds: what is left until the caller's deadline; None where there is none.
            cache: of results, or None.

        Raises:
            RequestError: whatever the caller has to be told.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        submitted = False
        began = time.time_ns()
        try:
            ready: _Ready | None = None
            if cache is None:
                alone = self.batcher.run_alone(lambda: self._go_alone(exchange, timeline, deadline))
                if alone is not None:
                    submitted = True
                    answered, ready = await alone
                    if ready is None:
                        return answered[0]
                    self.batcher.rejoin()
                    submitted = False
            call, prepared, unknown = ready or await self._prepare(exchange, timeline, cache)
            timeline.phases.append(("preprocess", began, time.time_ns()))
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise DeadlineExceeded(_TOO_LATE)
            units = [unit for one in prepared for unit in one.units]
            outputs: Sequence[Any] = ()
            if units:
                submitted = True
                computed = await self.batcher.submit(units, timeout_seconds=left)
                outputs = computed.outputs
                timeline.batch_size = computed.largest_batch
                timeline.phases.append(("queue", computed.queued_ns, computed.began_ns))
                timeline.phases.append(("engine", computed.began_ns, computed.ended_ns))

            def finish() -> tuple[AnswerT, dict[bytes, bytes]]:
                results = self.task.finish(prepared, outputs)
                answer = self._encode(exchange, timeline, results, call)
                packed = {key: self.task.pack(results[row]) for row, key in unknown.items()}
                return answer, {key: value for key, value in packed.items() if value is not None}

            began = time.time_ns()
            answer, kept = await on_encoders(finish)
            timeline.phases.append(("postprocess", began, time.time_ns()))
            if cache is not None and kept:
                await cache.put_many(kept)
            return answer
        finally:
            self.batcher.leave(submitted=submitted)

    def _encode(
        self,
        exchange: Exchange[AnswerT],
        timeline: Timeline,
        results: Sequence[Any],
        call: Call[Any, Any],
    ) -> AnswerT:
        timeline.labels, timeline.scores = self.task.predictions(results)
        return exchange.encode(self.task, results, call, parameters={"model_digest": self.task.digest})

    def _go_alone(
        self, exchange: Exchange[AnswerT], timeline: Timeline, deadline: float | None
    ) -> tuple[tuple[AnswerT, ...], _Ready | None]:
        """Take a call all the way on the engine's thread, if one batch holds all of it.

        Returns:
            The answer; or none, and the prepared call, which others must not wait behind.
        """
        task, began = self.task, time.time_ns()
        call = exchange.decode(task)
        prepared = task.prepare(call.items)
        units = [unit for one in prepared for unit in one.units]
        if units and len(choose_batch(units, task.policy)) < len(units):
            return (), (call, prepared, {})
        if deadline is not None and deadline <= time.monotonic():
            raise DeadlineExceeded(_TOO_LATE)
        computing = time.time_ns()
        outputs = self.batcher.compute_now([unit.data for unit in units]) if units else ()
        computed = time.time_ns()
        answer = self._encode(exchange, timeline, task.finish(prepared, outputs), call)
        timeline.phases.append(("preprocess", began, computing))
        if units:
            timeline.batch_size = len(units)
            timeline.phases.append(("queue", computing, computing))
            timeline.phases.append(("engine", computing, computed))
        timeline.phases.append(("postprocess", computed, time.time_ns()))
        return (answer,), None

    async def _prepare(
        self, exchange: Exchange[Any], timeline: Timeline, cache: ResponseCache | None
    ) -> _Ready:
        """Decode a call and prepare its items.

        Returns:
            The call, its items, and the keys of those, by position, whose results are to be kept.
        """
        task = self.task
        if cache is None:

            def decode_and_prepare() -> tuple[Call[Any, Any], AllPrepared]:
                call = exchange.decode(task)
                return call, task.prepare(call.items)

            return (*await on_decoders(decode_and_prepare), {})

        def decode_and_key() -> tuple[Call[Any, Any], list[bytes]]:
            call = exchange.decode(task)
            return call, [cache_key(task.digest, task.fingerprint, task.item_bytes(i)) for i in call.items]

        call, keys = await on_decoders(decode_and_key)
        found = await cache.get_many(keys)
        unknown = {row: key for row, key in enumerate(keys) if found[row] is None}
        timeline.cache_hits, timeline.cache_misses = len(keys) - len(unknown), len(unknown)

        def prepare_unknown() -> AllPrepared:
            prepared = iter(task.prepare([call.items[row] for row in unknown]) if unknown else ())
            return [next(prepared) if one is None else _known(task.unpack(one)) for one in found]

        return call, await on_decoders(prepare_unknown), unknown


def _known(result: ResultT) -> Prepared[Any, Any, ResultT]:
    """An item whose result was in the cache."""
    return Prepared((), lambda _: result)
