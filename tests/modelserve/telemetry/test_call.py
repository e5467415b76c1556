"""Which call is the current one, in tasks and threads."""

from __future__ import annotations

import asyncio
from typing import Any

from modelserve.telemetry import NO_CALL, Call, current_call


def test_a_call_is_current_inside_its_block(configure: Any) -> None:
    tracing = configure(OTEL_TRACES_EXPORTER="otlp", OTEL_TRACES_SAMPLER="always_off")
    outer, inner = tracing.start("outer"), tracing.start("inner")
    assert current_call() is NO_CALL
    with outer.active():
        with inner.active():
            assert current_call() is inner
        assert current_call() is outer
    assert current_call() is NO_CALL


async def test_each_task_has_its_own_and_hands_it_on(configure: Any) -> None:
    tracing = configure(OTEL_TRACES_EXPORTER="otlp", OTEL_TRACES_SAMPLER="always_off")

    async def told() -> Call:
        return current_call()

    async def answer() -> None:
        call = tracing.start("a")
        with call.active():
            await asyncio.sleep(0)  # now both tasks are inside their blocks
            assert current_call() is call
            assert await asyncio.create_task(told()) is call
            assert await asyncio.to_thread(current_call) is call

    await asyncio.gather(answer(), answer())
    assert current_call() is NO_CALL
