"""What a run is held to: a figure, a bound, and whether the one keeps to the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Result = Mapping[str, Any]
"""What a measure found, as JSON holds it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """``value`` has to be at least, or at most, ``bound``; None was not measured, and is not met."""

    text: str
    value: float | None
    bound: float
    at_least: bool = False
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether it holds."""
        if self.value is None:
            return False
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        value = "not measured" if self.value is None else f"{self.value:.3g}{self.unit}"
        sign = "at least" if self.at_least else "at most"
        return f"{self.text}: {value}, {sign} {self.bound:g}{self.unit}"


@dataclass(frozen=True, slots=True)
class Options:
    """How a run measures: with how many threads, and whether just to see that it works."""

    threads: int
    quick: bool

    def choose(self, full: float, quick: float) -> float:
        """A number for a full run and one for a quick run."""
        return quick if self.quick else full


class Measure(Protocol):
    """A module of ``benchmarks.measures``."""

    TITLE: str

    async def measure(self, options: Options) -> Result:
        """Measure; minutes."""
        ...

    def claims(self, result: Result) -> Sequence[Claim]:
        """What the result is held to."""
        ...

    def table(self, result: Result) -> Sequence[str]:
        """The result as lines of Markdown."""
        ...


def table_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
