"""How a canary gets its traffic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A share of the calls, and for how long.

    Attributes:
        percent: of the calls to the canary, from 1 to 99: all of them is the promotion.
        least_seconds: before which a good canary does not go on either.
        most_seconds: after which there is no more waiting for a verdict.
    """

    percent: int
    least_seconds: float
    most_seconds: float

    def __post_init__(self) -> None:
        if not 1 <= self.percent <= 99:
            raise ValueError(f"a step of {self.percent}%: 1 to 99 are accepted, all calls are the promotion")
        if not 0 <= self.least_seconds <= self.most_seconds:
            raise ValueError(
                f"a step of at least {self.least_seconds:g} s and at most {self.most_seconds:g} s: the first "
                "must be at least 0 and not above the second"
            )


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a canary.

    Attributes:
        steps: ascending shares.
        look_seconds: from one look at the measurements to the next.
        ready_seconds: how long the canary may take until it can answer.
    """

    steps: Sequence[Step]
    look_seconds: float = 10.0
    ready_seconds: float = 600.0

    def __post_init__(self) -> None:
        shares = [step.percent for step in self.steps]
        if not shares or shares != sorted(set(shares)):
            raise ValueError(f"steps of {shares}: one at least, and ascending ones, are accepted")
        if self.look_seconds <= 0 or self.ready_seconds <= 0:
            raise ValueError("look_seconds and ready_seconds must be above 0")

    def first_step(self, percent: int) -> int:
        """The place of the step that a canary begins with.

        One that has a share already goes on from there: back to less would tell nothing.

        Args:
            percent: of the calls that it has.
        """
        return max(0, sum(step.percent <= percent for step in self.steps) - 1)
