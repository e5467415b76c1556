"""What an estimate consists of."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum


class Group(str, Enum):
    """What lines are grouped by, in the order in which they are printed."""

    COMPUTE = "compute"
    DATA = "data"
    NETWORK = "network"
    EDGE = "edge"
    SECURITY = "security"
    WATCHING = "watching"


class Way(str, Enum):
    """A way to save, in the order in which they are reckoned: each of what the one before it leaves."""

    SCHEDULES = "schedules"
    SCALE_TO_ZERO = "scale to zero"
    SPOT = "spot"


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is paid.

    Attributes:
        group: that it is told under.
        what: it is.
        quantity: how many of ``unit``, on average over the month.
        unit: that is counted.
        unit_usd: USD a month for one.
    """

    group: Group
    what: str
    quantity: Decimal
    unit: str
    unit_usd: Decimal

    @property
    def usd(self) -> Decimal:
        """USD a month, not rounded."""
        return self.quantity * self.unit_usd


@dataclass(frozen=True, slots=True)
class Saving:
    """What is not paid, in USD a month, because of a way to save."""

    way: Way
    what: str
    usd: Decimal


@dataclass(frozen=True, slots=True)
class NotEstimated:
    """Resources whose price or size is not known.

    Attributes:
        type: of Terraform.
        reason: in a sentence's part.
        addresses: of the resources.
    """

    type: str
    reason: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an environment costs.

    Attributes:
        environment: its name.
        region: that its prices are of.
        prices: where the prices are from, and when they were noted.
        lines: what is paid, in order.
        savings: what is not, in order.
        not_estimated: resources that are not in the lines, though they may cost.
        left_out: what else is not in the lines.
        remarks: what a reader should know before the figures.
    """

    environment: str
    region: str
    prices: str
    lines: tuple[Line, ...]
    savings: tuple[Saving, ...]
    not_estimated: tuple[NotEstimated, ...]
    left_out: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def usd(self) -> Decimal:
        """USD a month in all, not rounded."""
        return sum((line.usd for line in self.lines), Decimal())

    @property
    def saved_usd(self) -> Decimal:
        """USD a month that it would cost more without the savings."""
        return sum((saving.usd for saving in self.savings), Decimal())
