"""A log of calls fed to a shadow: halves joined, one component chosen, a few calls in progress at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from modelserve.errors import ModelServeError
from modelserve.events import Component, Event, EventError, Joiner, Pair, logged_message
from modelserve.shadow.comparison import Shadow
from modelserve.shadow.replaying import is_replay

REPLAY, OTHER_COMPONENT = "replay", "other_component"
"""What becomes of an event that is no half of a caller's call, or of a call that was not chosen."""


class AmbiguousLogError(ModelServeError):
    """A log holds the calls of several components, and none was chosen."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Whose calls are compared; None for any."""

    namespace: str | None = None
    service: str | None = None
    component: str | None = None

    def takes(self, component: Component) -> bool:
        """Whether it is the chosen one."""
        asked = (self.namespace, self.service, self.component)
        return all(want in (None, is_) for want, is_ in zip(asked, component, strict=True))


class LoggedCalls:
    """The calls in a sequence of events, of one component.

    Calls of a transformer and of the predictor behind it are the same calls in two forms, and calls of two
    services are of two models: nothing is said of a mixture.

    ``outcomes`` counts halves of calls as ``Joiner`` does, those of other components
    (``other_component``) and of replayed calls (``replay``), and events that are no half of a call, by their
    rejection.
    """

    def __init__(self, events: Iterable[Event], choice: Choice) -> None:
        self._events, self._choice = events, choice
        self._joiner = Joiner()
        self._rejected: Counter[str] = Counter()
        self.component: Component | None = None

    def __iter__(self) -> Iterator[Pair]:
        """The calls, as their second halves come.

        Raises:
            AmbiguousLogError: a second component is among those chosen.
            EventError: as the events raise it.
        """
        for event in self._events:
            try:
                message = logged_message(event)
            except EventError as error:
                self._rejected[error.rejection.value] += 1
                continue
            if is_replay(message):
                self._rejected[REPLAY] += 1
                continue
            if not self._choice.takes(message.component):
                self._rejected[OTHER_COMPONENT] += 1
                continue
            self._settle(message.component)
            # In a log all halves are there, however long its replay takes: it is bounded by size alone.
            pair = self._joiner.offer(message, now=0.0)
            if pair is not None:
                yield pair

    @property
    def outcomes(self) -> Counter[str]:
        """What became of the events; those that wait for their other half are ``waiting``."""
        waiting = Counter({"waiting": len(self._joiner)}) if len(self._joiner) else Counter[str]()
        return self._joiner.outcomes + self._rejected + waiting

    def _settle(self, component: Component) -> None:
        if self.component is None:
            self.component = component
        if component != self.component:
            raise AmbiguousLogError(
                f"the log holds calls of {'/'.join(self.component)} and of {'/'.join(component)}; "
                "one of them is accepted: choose by namespace, service and component"
            )


async def feed(shadow: Shadow, pairs: Iterable[Pair], *, at_once: int) -> None:
    """Let a shadow take all calls, and return when the last of them is counted.

    They are read on a thread, as a log may be a pipe that nothing comes from for a while.

    Args:
        shadow: takes them.
        pairs: the calls.
        at_once: the most calls in progress.

    Raises:
        ModelServeError: as the calls raise it, after those in progress are counted.
    """
    calls, turn = iter(pairs), asyncio.Lock()
    ended = False

    async def work() -> None:
        nonlocal ended
        while True:
            async with turn:
                if ended:
                    return
                ended = True  # also where reading raises: then the others stop as well
                pair = await asyncio.to_thread(next, calls, None)
                if pair is None:
                    return
                ended = False
            await shadow.take(pair)

    for result in await asyncio.gather(*(work() for _ in range(at_once)), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
