"""How many machines a group has on average while scheduled actions move its size.

The average is of 52 whole weeks, so that the hours which summer time takes and gives are in it. What such a
year begins with is what it ends with: the group's own size counts only until the first action.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from fractions import Fraction
from zoneinfo import ZoneInfo

from modelserve.cost.cron import Cron, ScheduleError

FIRST_DAY, DAYS = date(2026, 1, 5), 364
"""A Monday, and 52 weeks."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a group, in machines."""

    least: int
    most: int
    desired: int


@dataclass(frozen=True, slots=True)
class Action:
    """A change of a group's sizes; None leaves one as it is.

    Attributes:
        recurrence: when it happens.
        zone: of the clock that ``recurrence`` is by.
        least: the least size from then on, in machines.
        most: the greatest size.
        desired: the size.
    """

    recurrence: Cron
    zone: tzinfo
    least: int | None
    most: int | None
    desired: int | None

    def applied(self, sizes: Sizes) -> Sizes:
        """The sizes after it; a size that nobody names is moved no farther than the bounds ask."""
        least = sizes.least if self.least is None else self.least
        most = sizes.most if self.most is None else self.most
        desired = min(max(sizes.desired, least), most) if self.desired is None else self.desired
        return Sizes(least, most, desired)


@dataclass(frozen=True, slots=True)
class Average:
    """Machines over time.

    Attributes:
        machines: on average.
        removable: the share of the time, by how many machines there are in it that may all be taken away, as
            the least size is 0.
    """

    machines: Fraction
    removable: Mapping[int, Fraction]

    def while_called(self, share: Fraction) -> Fraction:
        """The machines on average when those that may be taken away are there only while models are called.

        Calls are taken to come while most machines are there, as schedules follow them: no other hours
        would cost more.

        Args:
            share: of the time, in which there are calls.
        """
        machines, rest = self.machines, share
        for size, time_share in sorted(self.removable.items(), reverse=True):
            called = min(rest, time_share)
            rest -= called
            machines -= size * (time_share - called)
        return machines


def find_zone(name: str | None) -> tzinfo:
    """The time zone of a name; that of UTC where there is none, as AWS has it.

    Raises:
        ScheduleError: this machine does not know it.
    """
    if name is None or name in ("Etc/UTC", "UTC"):
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ScheduleError(f"time zone {name!r} is not among those that this machine knows") from error


def average(start: Sizes, actions: Sequence[Action], *, first: date = FIRST_DAY, days: int = DAYS) -> Average:
    """The machines that a group has on average, when the same time comes again and again.

    Args:
        start: sizes before any action.
        actions: in the order in which those of the same minute are taken.
        first: the first day of the time, in UTC.
        days: of it.
    """
    length = days * 24 * 60
    events = sorted(
        (minute, order)
        for order, action in enumerate(actions)
        for minute in _minutes(action, first, days)
        if 0 <= minute < length
    )
    sizes = start
    machines, removable = 0, Counter[int]()
    # After the first time the bounds are what the actions make them, after the second the size is: the third
    # is like all that follow.
    for _ in range(3):
        machines, removable, since = 0, Counter[int](), 0
        for minute, order in [*events, (length, None)]:
            machines += sizes.desired * (minute - since)
            if sizes.least == 0:
                removable[sizes.desired] += minute - since
            since = minute
            if order is not None:
                sizes = actions[order].applied(sizes)
    shares = {size: Fraction(minutes, length) for size, minutes in removable.items()}
    return Average(Fraction(machines, length), shares)


def _minutes(action: Action, first: date, days: int) -> Iterator[int]:
    """When an action happens, in minutes from the beginning of a day in UTC; some may be before or after.

    An hour that the clock has twice counts once, one that it leaves out is the hour after it.
    """
    origin = datetime.combine(first, time(), timezone.utc)
    for offset in range(-1, days + 1):
        day = first + timedelta(days=offset)
        if action.recurrence.has(day):
            for at in action.recurrence.times():
                yield (datetime.combine(day, at, action.zone) - origin) // timedelta(minutes=1)
