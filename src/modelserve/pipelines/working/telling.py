"""Tells webhooks of the ends of runs, in CloudEvents, until they answer 2xx.

A notice waits in the store, which outlives this process, and is taken by one process at a time. It may come
twice, never not at all within a day; its id tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from datetime import datetime, timezone

import httpx
import orjson

from modelserve.concurrency import end_all
from modelserve.database import StoreError
from modelserve.events.event import Event
from modelserve.events.outgoing import write_event
from modelserve.pipelines.store import Notice
from modelserve.pipelines.working.metrics import WorkerMetrics
from modelserve.pipelines.working.threads import StoreThreads

TYPE = "dev.modelserve.pipeline.run.ended"

_AT_ONCE = 32
_TIMEOUT_SECONDS = 10.0
_HOLD_SECONDS = 20.0
_IDLE_SECONDS = 3.0
_LONGEST_PAUSE_SECONDS = 3600.0
_STALE_SECONDS = 24 * 3600.0
"""After which a webhook is given up."""

logger = logging.getLogger(__name__)


class Teller:
    """Sends what the store's outbox has; made within the event loop that it runs in.

    Args:
        threads: of the store.
        metrics: are told.
    """

    def __init__(self, threads: StoreThreads, metrics: WorkerMetrics) -> None:
        self._threads, self._metrics = threads, metrics
        self._woken = asyncio.Event()
        self._telling: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """There is something to tell."""
        self._woken.set()

    async def run(self) -> None:
        """Tell, until it is cancelled."""
        try:
            async with httpx.AsyncClient(
                timeout=_TIMEOUT_SECONDS, limits=httpx.Limits(max_connections=_AT_ONCE)
            ) as client:
                while True:
                    await self._tell_due(client)
        finally:
            await end_all(self._telling)

    async def _tell_due(self, client: httpx.AsyncClient) -> None:
        """Begin to tell as many as there are places for, and wait until there may be more."""
        self._woken.clear()
        free = _AT_ONCE - len(self._telling)
        notices: list[Notice] = []
        if free:
            try:
                notices = await self._threads.call(lambda: self._take(free))
            except StoreError as error:
                logger.warning("webhooks wait: %s", error)
        for notice in notices:
            task = asyncio.create_task(self._tell(client, notice))
            self._telling.add(task)
            task.add_done_callback(self._end)
        if len(notices) < free or not free:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _IDLE_SECONDS * random.uniform(0.5, 1.5))

    def _take(self, limit: int) -> list[Notice]:
        now = time.time()
        return self._threads.store.outbox.take(
            now=now, since=now - _STALE_SECONDS, hold_seconds=_HOLD_SECONDS, limit=limit
        )

    def _end(self, task: asyncio.Task[None]) -> None:
        self._telling.discard(task)
        if len(self._telling) == _AT_ONCE - 1:
            self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a webhook is not told, and waits", exc_info=error)

    async def _tell(self, client: httpx.AsyncClient, notice: Notice) -> None:
        outbox = self._threads.store.outbox
        refusal = await _refusal(client, notice)
        try:
            if refusal is None:
                self._metrics.told("told")
                await self._threads.insist(lambda: outbox.mark_told(notice), seconds=_HOLD_SECONDS / 4)
                return
            self._metrics.told("refused")
            logger.warning("the webhook of run %s waits: %s", notice.run, refusal)
            until = time.time() + pause_seconds(notice.tries, random.random())
            await self._threads.call(lambda: outbox.put_off(notice, until=until))
        except StoreError as error:
            logger.warning("the webhook of run %s may be told again: %s", notice.run, error)


async def _refusal(client: httpx.AsyncClient, notice: Notice) -> str | None:
    """Send a notice; why it was not taken, None where it was."""
    headers, body = write_event(ended_event(notice))

    async def post() -> int:
        # What a receiver answers beside its status is not read: it might not end.
        async with client.stream("POST", notice.webhook, headers=headers, content=body) as response:
            return response.status_code

    try:
        status = await asyncio.wait_for(post(), _TIMEOUT_SECONDS)
    except asyncio.TimeoutError:
        return f"no answer within {_TIMEOUT_SECONDS:g} s"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return None if 200 <= status < 300 else f"it answered {status}"


def pause_seconds(tries: int, jitter: float) -> float:
    """How long a receiver that refused is left alone.

    Args:
        tries: that were made, at least one.
        jitter: from 0 to 1; by it the pause is cut by at most its half.
    """
    return min(2.0 ** min(tries, 20), _LONGEST_PAUSE_SECONDS) * (1 - jitter / 2)


def ended_event(notice: Notice) -> Event:
    """What ``events/schemas/dev.modelserve.pipeline.run.ended.json`` describes, as an event."""
    data = {
        "run": notice.run,
        "round": notice.round,
        "pipeline": notice.pipeline,
        "status": notice.status.value,
        "output": notice.output,
        "error": notice.error or None,
    }
    return Event(
        id=f"{notice.run}-{notice.round}",
        source=f"modelserve/pipelines/{notice.pipeline}",
        type=TYPE,
        time=datetime.fromtimestamp(notice.at, timezone.utc),
        data=orjson.dumps(data),
        content_type="application/json",
        subject=f"{notice.pipeline}/{notice.run}",
    )
