"""Halves of calls into calls, whatever order they come in and however often.

Delivery is at least once and unordered, and a half may never come: only answered calls have a response event,
and an agent drops what it cannot send. Nothing here reads a clock or waits; callers say what time it is.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

from modelserve.events.logged import Component, LoggedMessage, Side


@dataclass(frozen=True, slots=True)
class Pair:
    """A call with its answer."""

    request: LoggedMessage
    response: LoggedMessage

    @property
    def component(self) -> Component:
        """Which part of which InferenceService was called."""
        return self.request.component

    @property
    def seconds(self) -> float:
        """From the request to the answer, by the agent's clock."""
        return self.response.time - self.request.time


class Joining(Protocol):
    """What makes calls of halves."""

    outcomes: Counter[str]

    def offer(self, message: LoggedMessage, *, now: float) -> Pair | None:
        """Take half a call; the call, if that was its second half."""

    def expire(self, *, now: float) -> None:
        """Give up halves that have waited long enough."""


class Joiner:
    """Joins on the component and the id.

    ``outcomes`` counts what became of every half that was offered, once it is known: ``paired`` (twice for a
    pair), ``duplicate``, ``half_request`` and ``half_response`` for those whose other half did not come in
    time, and ``displaced`` for those that had to make room. Those that still wait are ``len(joiner)``.

    Args:
        wait_seconds: how long a half waits for the other.
        most_waiting: halves; the oldest makes room for a further one.
        most_bytes: of the payloads of those that wait; likewise.
        remembered: calls that are over, by which repetitions are known; the oldest are forgotten.
    """

    def __init__(
        self,
        *,
        wait_seconds: float = 60.0,
        most_waiting: int = 10_000,
        most_bytes: int = 256 * 1024 * 1024,
        remembered: int = 100_000,
    ) -> None:
        self._wait_seconds = wait_seconds
        self._most_waiting, self._most_bytes, self._remembered = most_waiting, most_bytes, remembered
        self._waiting: OrderedDict[Hashable, tuple[float, LoggedMessage]] = OrderedDict()
        self._over: OrderedDict[Hashable, Side | None] = OrderedDict()
        self._bytes = 0
        self.outcomes: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """Of the payloads of the halves that wait."""
        return self._bytes

    def offer(self, message: LoggedMessage, *, now: float) -> Pair | None:
        """Take half a call; the call, if that was its second half.

        Args:
            message: the half.
            now: seconds by any clock that does not go back, the same for every call of this joiner.
        """
        self.expire(now=now)
        key = (message.component, message.id)
        if key in self._over:
            self._offer_late(key, message)
            return None
        held = self._waiting.get(key)
        if held is None:
            self._hold(key, message, now)
            return None
        other = held[1]
        if other.side is message.side:
            self.outcomes["duplicate"] += 1
            return None
        self._release(key)
        self._remember(key, None)
        self.outcomes["paired"] += 2
        request, response = (message, other) if message.side is Side.REQUEST else (other, message)
        return Pair(request, response)

    def remember(self, component: Component, call: str) -> None:
        """A call was had whole before this joiner was made: its halves are repetitions."""
        self._remember((component, call), None)

    def expire(self, *, now: float) -> None:
        """Give up halves that have waited long enough."""
        while self._waiting:
            key, (since, message) = next(iter(self._waiting.items()))
            if now - since < self._wait_seconds:
                return
            self._give_up(key, f"half_{message.side.value}")

    def _offer_late(self, key: Hashable, message: LoggedMessage) -> None:
        """Of a call that is over, a half that was had is a repetition; the other one came too late."""
        had = self._over[key]
        if had is None or had is message.side:
            self.outcomes["duplicate"] += 1
            return
        self._over[key] = None
        self.outcomes[f"half_{message.side.value}"] += 1

    def _hold(self, key: Hashable, message: LoggedMessage, now: float) -> None:
        self._waiting[key] = (now, message)
        self._bytes += len(message.body)
        while len(self._waiting) > self._most_waiting or self._bytes > self._most_bytes:
            self._give_up(next(iter(self._waiting)), "displaced")

    def _give_up(self, key: Hashable, outcome: str) -> None:
        message = self._release(key)
        self._remember(key, message.side)
        self.outcomes[outcome] += 1

    def _release(self, key: Hashable) -> LoggedMessage:
        _, message = self._waiting.pop(key)
        self._bytes -= len(message.body)
        return message

    def _remember(self, key: Hashable, had: Side | None) -> None:
        self._over[key] = had
        if len(self._over) > self._remembered:
            self._over.popitem(last=False)
