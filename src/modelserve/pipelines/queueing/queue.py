"""What a queue is to pipelines: it carries wake-ups, and nothing that would be missed.

A wake-up says that there is something to do with a run; what, the store says. One that is lost makes the run
late, until somebody sweeps the store; one that comes twice finds the run claimed. So a queue need not be
durable, and nothing here is transactional.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol


async def nothing() -> None:
    """Settles a wake-up that nobody waits for."""


@dataclass(frozen=True, slots=True)
class Wakeup:
    """There is something to do with a run.

    Attributes:
        run_id: of the run.
        settle: says that it was done, or is no longer this worker's; it never raises.
    """

    run_id: str
    settle: Callable[[], Awaitable[None]] = nothing


class Queue(Protocol):
    """Carries wake-ups, within one event loop."""

    async def wake(self, run_id: str) -> None:
        """Tell somebody that there is something to do with a run; never raises."""

    async def next(self) -> Wakeup:
        """The next wake-up, however long it takes to come; one caller at a time."""

    async def close(self) -> None:
        """Let go of its connections; nobody may wait for a wake-up."""
