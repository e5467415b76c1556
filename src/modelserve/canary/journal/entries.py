"""A canary by which entries are told apart, and what one of its entries says."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from modelserve.canary.running.driver import Progress

_PROGRESS: TypeAdapter[Progress] = TypeAdapter(Progress)


@dataclass(frozen=True, slots=True)
class Canary:
    """One trial of one new revision.

    Attributes:
        namespace: of the service.
        service: its name.
        policy: by whose name it was begun.
        began: when, in seconds since 1970.
        specification: the policy's steps and checks, as JSON.
    """

    namespace: str
    service: str
    policy: str
    began: float
    specification: str

    @property
    def microseconds(self) -> int:
        """When it began, as a number that databases compare exactly."""
        return round(self.began * 1e6)


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened at one time.

    Attributes:
        number: in the journal, ascending.
        canary: whose.
        progress: what was seen and said.
        is_decision: whether something was decided then: a phase, a step, or another verdict.
    """

    number: int
    canary: Canary
    progress: Progress
    is_decision: bool


def pack(progress: Progress) -> bytes:
    """As the journal keeps it."""
    return _PROGRESS.dump_json(progress)


def unpack(kept: bytes) -> Progress:
    """What was kept."""
    return _PROGRESS.validate_json(kept)
