"""One call at a time, for what is looked at and not timed in bulk: a first answer, a check."""

from __future__ import annotations

import asyncio

from modelserve.bench.calls import Target
from modelserve.bench.channel import Channel
from modelserve.bench.outcomes import TIMEOUT


async def ask(target: Target, call: bytes, *, timeout_seconds: float = 60.0) -> tuple[str, bytes]:
    """Send one call on a connection of its own; its outcome and, of an answer, the body."""
    ended: asyncio.Future[tuple[str, bytes]] = asyncio.get_running_loop().create_future()
    channel = Channel(target, lambda _, outcome, body: ended.set_result((outcome, body)))
    channel.send(call)
    try:
        return await asyncio.wait_for(ended, timeout_seconds)
    except asyncio.TimeoutError:
        return TIMEOUT, b""
    finally:
        channel.close()
