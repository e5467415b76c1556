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
from modelserve.cache import ResponseCache
from modelserve.cache.keys import cache_key
from modelserve.engines.cores import available_cores
from modelserve.errors import DeadlineExceeded
from modelserve.exchange import AnyTask, Exchange
from modelserve.task import Call, Prepared

AnswerT = TypeVar("AnswerT")
ResultT = TypeVar("ResultT")

AllPrepared = list[Prepared[Any, Any, Any]]

_DECODERS = ThreadPoolExecutor(max(2, available_cores()), thread_name_prefix="decode")
_ENCODERS = ThreadPoolExecutor(1, thread_name_prefix="encode")
"""Shared by all models of the process. Answers have a thread of their own: behind the decoding of calls
that have only arrived, those that are done would wait."""


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
            call, prepared, unknown = await self._prepare(exchange, timeline, cache)
            timeline.phases.append(("preprocess", began, time.time_ns()))
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise DeadlineExceeded("the caller's deadline passed while its call was prepared")
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
                timeline.labels, timeline.scores = self.task.predictions(results)
                answer = exchange.encode(self.task, results, call)
                packed = {key: self.task.pack(results[row]) for row, key in unknown.items()}
                return answer, {key: value for key, value in packed.items() if value is not None}

            began = time.time_ns()
            answer, kept = await _on(_ENCODERS, finish)
            timeline.phases.append(("postprocess", began, time.time_ns()))
            if cache is not None and kept:
                await cache.put_many(kept)
            return answer
        finally:
            self.batcher.leave(submitted=submitted)

    async def _prepare(
        self, exchange: Exchange[Any], timeline: Timeline, cache: ResponseCache | None
    ) -> tuple[Call[Any, Any], AllPrepared, dict[int, bytes]]:
        """Decode a call and prepare its items.

        Returns:
            The call, its items, and the keys of those, by position, whose results are to be kept.
        """
        task = self.task
        if cache is None:

            def decode_and_prepare() -> tuple[Call[Any, Any], AllPrepared]:
                call = exchange.decode(task)
                return call, task.prepare(call.items)

            return (*await _on(_DECODERS, decode_and_prepare), {})

        def decode_and_key() -> tuple[Call[Any, Any], list[bytes]]:
            call = exchange.decode(task)
            return call, [cache_key(task.digest, task.fingerprint, task.item_bytes(i)) for i in call.items]

        call, keys = await _on(_DECODERS, decode_and_key)
        found = await cache.get_many(keys)
        unknown = {row: key for row, key in enumerate(keys) if found[row] is None}
        timeline.cache_hits, timeline.cache_misses = len(keys) - len(unknown), len(unknown)

        def prepare_unknown() -> AllPrepared:
            prepared = iter(task.prepare([call.items[row] for row in unknown]) if unknown else ())
            return [next(prepared) if one is None else _known(task.unpack(one)) for one in found]

        return call, await _on(_DECODERS, prepare_unknown), unknown


def _known(result: ResultT) -> Prepared[Any, Any, ResultT]:
    """An item whose result was in the cache."""
    return Prepared((), lambda _: result)


async def _on(threads: ThreadPoolExecutor, work: Callable[[], ResultT]) -> ResultT:
    return await asyncio.get_running_loop().run_in_executor(threads, work)
