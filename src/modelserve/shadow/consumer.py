"""The halves of mirrored calls as a sink gives them: joined, one component chosen, whole calls handed on."""

from __future__ import annotations

import time
from collections.abc import Callable

from modelserve.events import Component, Joiner, LoggedMessage
from modelserve.events.sink import Totals
from modelserve.shadow.feeding import OTHER_COMPONENT, REPLAY
from modelserve.shadow.live import LiveShadow
from modelserve.shadow.replaying import is_replay


class ShadowConsumer:
    """``modelserve.events.sink.Consumer`` before a live shadow.

    Args:
        shadow: gets the calls.
        component: whose they are; events of others are counted, and are nothing else.
        joiner: of the halves.
        count: told of outcomes as they become known.
    """

    def __init__(
        self, shadow: LiveShadow, component: Component, joiner: Joiner, count: Callable[[str, int], None]
    ) -> None:
        self._shadow, self._component, self._joiner = shadow, component, joiner
        self._count, self._totals = count, Totals(count)

    def take(self, message: LoggedMessage) -> None:
        """Take half a call."""
        if is_replay(message):
            self._count(REPLAY, 1)
            return
        if message.component != self._component:
            self._count(OTHER_COMPONENT, 1)
            return
        pair = self._joiner.offer(message, now=time.monotonic())
        self._totals.tell(self._joiner.outcomes)
        if pair is not None:
            self._shadow.offer(pair)

    def idle(self) -> None:
        """Give up halves that have waited long enough."""
        self._joiner.expire(now=time.monotonic())
        self._totals.tell(self._joiner.outcomes)

    def close(self) -> None:
        """Nothing is left to do: the halves that still wait have no outcome."""
