"""Halves of calls joined in Redis: the two of a call may come to two detectors."""

from __future__ import annotations

import struct
from collections import Counter

from modelserve.database import StoreError
from modelserve.drift.shared.redis import SharedRedis, keys_of
from modelserve.events import Component, LoggedMessage, Pair
from modelserve.events.logged import Side

_TIME = struct.Struct("<d")
_MOST_AT_ONCE = 1000
_PAUSE_SECONDS = 1.0
_REMEMBERED_WAITS = 10
"""How long a call is known after its end, in times that a half waits: a sender may repeat what it sent."""


class SharedJoiner:
    """``modelserve.events.Joiner`` for several detectors.

    The bounds are of each component. ``outcomes`` are those that this detector saw, so that the counts of all
    add up; ``unstored`` are halves that came while Redis did not answer. A call that was joined is
    this detector's: it is lost if the detector dies before it has written it.

    Args:
        redis: where the halves wait.
        wait_seconds: how long a half waits for the other.
        most_waiting: halves; the oldest makes room for a further one.
        most_bytes: of the payloads of those that wait; likewise.
    """

    def __init__(
        self,
        redis: SharedRedis,
        *,
        wait_seconds: float = 60.0,
        most_waiting: int = 10_000,
        most_bytes: int = 256 * 1024 * 1024,
    ) -> None:
        self._redis = redis
        self._wait_seconds, self._most_waiting, self._most_bytes = wait_seconds, most_waiting, most_bytes
        self._seen: dict[Component, float] = {}
        self._away_until = float("-inf")
        self.outcomes: Counter[str] = Counter()

    def offer(self, message: LoggedMessage, *, now: float) -> Pair | None:
        """Take half a call; the call, if that was its second half.

        Args:
            message: the half.
            now: seconds by any clock that does not go back.
        """
        if now < self._away_until:  # each try would take its time-out
            self.outcomes["unstored"] += 1
            return None
        component, side = message.component, message.side
        self._seen[component] = now
        half = side.value.encode() + b" " + _TIME.pack(message.time) + message.body
        bounds = (self._most_waiting, self._most_bytes)
        try:
            said, what = self._redis.run("offer", _keys(component), message.id, side.value, half, *bounds)
        except StoreError:
            self._away_until = now + _PAUSE_SECONDS
            self.outcomes["unstored"] += 1
            return None
        outcome = said.decode()
        if outcome != "paired":
            self.outcomes[outcome] += what
            return None
        self.outcomes["paired"] += 2
        other = _other(message, what)
        return Pair(message, other) if side is Side.REQUEST else Pair(other, message)

    def expire(self, *, now: float) -> None:
        """Give up halves that have waited long enough, of all components of which any came here.

        A component of which none came for longer than a call is known has nothing left to give up.
        """
        wait_ms = int(1000 * self._wait_seconds)
        arguments = (wait_ms, _REMEMBERED_WAITS * wait_ms, _MOST_AT_ONCE)
        if now < self._away_until:
            return
        try:
            for component, seen in list(self._seen.items()):
                requests, responses = self._redis.run("expire", _keys(component), *arguments)
                self.outcomes.update(half_request=requests, half_response=responses)
                known_seconds = (1 + _REMEMBERED_WAITS) * self._wait_seconds
                if not requests and not responses and now - seen > known_seconds:
                    del self._seen[component]
        except StoreError:
            self._away_until = now + _PAUSE_SECONDS


def _keys(component: Component) -> list[str]:
    return keys_of(component, "waiting", "since", "over", "ended", "bytes")


def _other(message: LoggedMessage, half: bytes) -> LoggedMessage:
    side, packed = message.side.other, half[len(message.side.other.value) + 1 :]
    (time,) = _TIME.unpack_from(packed)
    return LoggedMessage(message.component, message.id, side, time, packed[_TIME.size :])
