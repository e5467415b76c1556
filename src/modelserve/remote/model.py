"""What all served models have in common behind which a predictor is asked."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import TypeVar

from modelserve.concurrency import deadline_after
from modelserve.exchange import Exchange
from modelserve.execution import Timeline
from modelserve.remote.waiting import wait_for_predictor
from modelserve.serving import ServedModel
from modelserve.settings import RemoteSettings

AnswerT = TypeVar("AnswerT")


class RemoteModel(ServedModel):
    """A served model that asks another server; of its own it has nothing to load.

    It is ready at once, as the predictor may be scaled to zero and a look would wake it, or when the
    predictor is, where the settings say so.

    Args:
        name: of the model, here and at the predictor.
        settings: where the predictor is, and the limits.
        version: in the URL and in metadata.
    """

    def __init__(self, name: str, settings: RemoteSettings, *, version: str = "1") -> None:
        super().__init__(name, version=version, max_queue=settings.max_queue)
        self._in_progress = 0
        self._waits_for = settings if settings.enable_predictor_health_check else None
        self._is_given_up = threading.Event()

    @abstractmethod
    async def _disconnect(self) -> None:
        """Close the connections to the predictor, if there are any."""

    @abstractmethod
    async def _answer_by(
        self, exchange: Exchange[AnswerT], timeline: Timeline, deadline: float | None
    ) -> AnswerT:
        """Answer a call, until a deadline by ``time.monotonic`` where there is one."""

    def load(self) -> bool:
        """Take calls, once the predictor does where that is asked for."""
        self.ready = self._waits_for is None or wait_for_predictor(self._waits_for, self._is_given_up)
        return self.ready

    def give_up_loading(self) -> None:
        """Wait for the predictor no longer."""
        self._is_given_up.set()

    def stop(self) -> None:
        """Take no more calls."""
        self.ready = False

    async def close(self) -> None:
        """Close the connections to the predictor."""
        self.stop()
        await self._disconnect()

    @property
    def waiting(self) -> int:
        """Calls in progress: the predictor tells no one which of them it has begun."""
        return self._in_progress

    @property
    def expected_wait_seconds(self) -> float:
        """Not known."""
        return 0.0

    async def _answer(
        self, exchange: Exchange[AnswerT], timeline: Timeline, *, timeout_seconds: float | None
    ) -> AnswerT:
        if not self.ready:
            raise self.unavailable()
        self._in_progress += 1
        try:
            return await self._answer_by(exchange, timeline, deadline_after(timeout_seconds))
        finally:
            self._in_progress -= 1
