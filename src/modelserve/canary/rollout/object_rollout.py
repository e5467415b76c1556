"""What the actuators do alike: look at an object, and write to it only while it is what was looked at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from typing import ClassVar

from modelserve.canary.rollout.objects import Conflict, Kind, Object, Objects
from modelserve.canary.rollout.protocol import CannotRollOut, Changed, RolledOut, RolloutState

_TRIES = 5


class ObjectRollout(ABC):
    """Traffic that one object of the cluster tells of, and is moved by.

    Whether revisions can answer is asked only where it is told: it is no part of what a write depends on.

    Args:
        objects: of its namespace.
        name: of the object.
    """

    kind: ClassVar[Kind]

    def __init__(self, objects: Objects, name: str) -> None:
        self._objects = objects
        self.name = name

    def check(self) -> RolloutState:
        """Where it stands, if a canary can be moved here.

        Raises:
            NothingNew: there is no canary.
            CannotRollOut: it cannot; the message says why, and what is accepted.
        """
        seen = self._look()
        self._expect_movable(seen)
        found = self._rolled_out(seen)
        self._expect_canary(seen, found)
        return self._told(found)

    def state(self) -> RolloutState:
        """Where it stands.

        Raises:
            CannotRollOut: it has no traffic to tell of.
        """
        return self._told(self._rolled_out(self._look()))

    @abstractmethod
    def shift(self, percent: int, expected: RolledOut) -> None:
        """Give the canary a share of the calls.

        Raises:
            Changed: what is rolled out is not what it was.
        """

    def roll_back(self) -> str:
        """All calls go to the stable revision where there is a canary, else to the one before it.

        Returns:
            The name of the revision that is to have all calls.

        Raises:
            CannotRollOut: there is none before it, it cannot answer, or somebody else moves the traffic.
        """
        seen = self._look()
        self._expect_movable(seen)
        found = self._rolled_out(seen)
        if found.canary is not None:
            self.shift(0, found)
            return found.stable
        before = self._before(seen, found)
        self._return_to(before, found)
        return before

    @abstractmethod
    def _expect_movable(self, seen: Object) -> None:
        """Raise ``CannotRollOut`` where its traffic is not ours to move."""

    @abstractmethod
    def _expect_canary(self, seen: Object, found: RolledOut) -> None:
        """Raise ``NothingNew`` where there is no canary."""

    @abstractmethod
    def _rolled_out(self, seen: Object) -> RolledOut:
        """What the object tells; ``CannotRollOut`` where it has no traffic."""

    @abstractmethod
    def _readiness(self, found: RolledOut) -> tuple[bool, str]:
        """Whether all can answer, and why the canary will not do so by itself; empty where it may."""

    @abstractmethod
    def _before(self, seen: Object, found: RolledOut) -> str:
        """What had all calls before, and can answer; ``CannotRollOut`` where there is nothing."""

    def _return_to(self, before: str, found: RolledOut) -> None:
        """Give all calls to what had them before; where none for the newest one means that, this does."""
        self.shift(0, found)

    def _difference(self, found: RolledOut, expected: RolledOut) -> str:
        """What was changed meanwhile; a sentence."""
        return (
            f"{self.name} was changed: {found.canary or 'nothing'} is rolled out beside {found.stable}, and "
            f"no longer {expected.canary or 'nothing'} beside {expected.stable}"
        )

    def _look(self) -> Object:
        return self._objects.get(self.kind, self.name)

    def _told(self, found: RolledOut) -> RolloutState:
        is_ready, failure = self._readiness(found)
        return RolloutState(**asdict(found), is_ready=is_ready, failure=failure)

    def _write(self, expected: RolledOut, write: Callable[[Object], None]) -> None:
        """Write to the object while it is what was expected.

        Args:
            expected: what is rolled out.
            write: is given the object, and raises ``Conflict`` where it is another by now.

        Raises:
            Changed: it is not what was expected.
        """
        for _ in range(_TRIES):
            seen = self._look()
            found = self._rolled_out(seen)
            if not found.same_as(expected):
                raise Changed(self._difference(found, expected))
            try:
                write(seen)
            except Conflict:
                continue  # most often its status has changed; what it rolls out is looked at again
            return
        raise CannotRollOut(f"{self.name} changes all the time")
