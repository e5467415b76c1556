"""The port through which a canary's traffic is moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from modelserve.errors import ModelServeError


class CannotRollOut(ModelServeError):
    """A canary that cannot be begun or moved as things are; the message is for people."""


class Away(CannotRollOut):
    """The cluster does not answer now; it may be asked again."""


class Gone(CannotRollOut):
    """What was to be rolled out is not there, or no longer."""


class NothingNew(CannotRollOut):
    """There is no newer revision than the one with all calls."""


class Changed(CannotRollOut):
    """What is rolled out is not what it was: somebody changed it meanwhile."""


@dataclass(frozen=True, slots=True)
class RolledOut:
    """What is rolled out, and who gets which calls.

    Attributes:
        stable: the revision that has all traffic but the canary's.
        canary: the newest revision; None where that is the stable one.
        percent: of the calls that the canary gets now.
        fingerprint: of what is rolled out, whatever its traffic: it changes with any change of the model.
    """

    stable: str
    canary: str | None
    percent: int
    fingerprint: str

    def same_as(self, other: RolledOut) -> bool:
        """Whether the same is rolled out, whatever share of the calls it has and however well it is."""
        mine = (self.stable, self.canary, self.fingerprint)
        return mine == (other.stable, other.canary, other.fingerprint)


@dataclass(frozen=True, slots=True)
class RolloutState(RolledOut):
    """Where a rollout stands, as the cluster says.

    Attributes:
        is_ready: whether both revisions can answer.
        failure: why the canary will not become ready by itself; empty where it may.
    """

    is_ready: bool
    failure: str


class Rollout(Protocol):
    """A service of which two revisions have a share of the calls each.

    All methods raise ``CannotRollOut`` where the cluster does not answer, or answers no.
    """

    @property
    def name(self) -> str:
        """Of the service, as people call it."""

    def check(self) -> RolloutState:
        """Where it stands, if a canary can be moved here at all.

        Raises:
            NothingNew: there is no canary.
            CannotRollOut: it cannot; the message says why, and what is accepted.
        """

    def state(self) -> RolloutState:
        """Where it stands.

        Raises:
            Gone: there is no such service.
        """

    def shift(self, percent: int, expected: RolloutState) -> None:
        """Give the canary a share of the calls; what is rolled out stays as it is.

        Args:
            percent: from 0 to 100; 0 is the way back.
            expected: what is rolled out, as it was last seen.

        Raises:
            Changed: it is no longer that.
        """

    def promote(self, expected: RolloutState) -> None:
        """The canary becomes the stable revision, with all calls.

        Args:
            expected: what is rolled out, as it was last seen and judged.

        Raises:
            Changed: it is no longer that: nothing unjudged gets all calls.
        """

    def roll_back(self) -> str:
        """The revision that had all calls before the newest one gets them again, also after a promotion.

        The newest one stays, as a canary without calls: so it is where there is nothing to promote.

        Returns:
            The name of the revision that is to have all calls.

        Raises:
            CannotRollOut: there is no revision to go back to, or it cannot answer.
        """
