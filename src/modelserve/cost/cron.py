"""When scheduled actions recur: the five fields of Unix's cron, as AWS takes them.

Numbers, names of months and days, ``*``, lists, ranges and steps. A day is meant when it fits the day of
the month and the weekday; when neither of the two fields begins with ``*``, one of them is enough, as cron
has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time

from modelserve.errors import ModelServeError


class ScheduleError(ModelServeError):
    """A recurrence or a time zone that is none; the message says what is accepted."""


@dataclass(frozen=True, slots=True)
class _Field:
    title: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field(
        "month",
        *(1, 12),
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ),
    _Field("weekday", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_PART = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cron:
    """When something recurs, by the clock on the wall.

    Attributes:
        minutes: of an hour.
        hours: of a day.
        days: of a month.
        months: of a year, 1 to 12.
        weekdays: 0 is Sunday.
        needs_both: whether a day has to fit ``days`` and ``weekdays``; else one of them is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    needs_both: bool

    def has(self, day: date) -> bool:
        """Whether it recurs on a day."""
        fits = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (all(fits) if self.needs_both else any(fits))

    def times(self) -> Iterator[time]:
        """When it recurs on such a day, in order."""
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                yield time(hour, minute)


def parse_cron(text: str) -> Cron:
    """The recurrence that five fields mean.

    Raises:
        ScheduleError: they are none.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(f"recurrence {text!r}: five fields are accepted, as in '0 19 * * 1-5'")
    sets = [_parsed(field, form, text) for field, form in zip(fields, _FIELDS, strict=True)]
    return Cron(
        minutes=sets[0],
        hours=sets[1],
        days=sets[2],
        months=sets[3],
        weekdays=frozenset(day % 7 for day in sets[4]),
        needs_both=fields[2].startswith("*") or fields[4].startswith("*"),
    )


def _parsed(text: str, field: _Field, recurrence: str) -> frozenset[int]:
    """The numbers that a field of a recurrence means."""
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        bounds = None if match is None else _bounds(match, field)
        if match is None or bounds is None:
            raise ScheduleError(
                f"recurrence {recurrence!r}: {part!r} is no {field.title}; {field.least} to {field.most} is "
                "accepted, lists, ranges from the less to the more, *, and steps of a range or of *"
            )
        found.update(range(bounds[0], bounds[1] + 1, int(match[4] or 1)))
    return frozenset(found)


def _bounds(match: re.Match[str], field: _Field) -> tuple[int, int] | None:
    """The first and the last number of a part, before steps; None where it is none."""
    star, word, last_word, step = match.groups()
    if step is not None and (int(step) < 1 or (star is None and last_word is None)):
        return None
    if star is not None:
        return field.least, field.most
    first, last = _value(word, field), _value(last_word or word, field)
    if first is None or last is None or not field.least <= first <= last <= field.most:
        return None
    return first, last


def _value(word: str, field: _Field) -> int | None:
    if word.isdigit():
        return int(word)
    return field.names.index(word.lower()) + field.least if word.lower() in field.names else None
