"""Average sizes, against an oracle that walks through every minute."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelserve.cost.cron import ScheduleError, parse_cron
from modelserve.cost.schedule import Action, Sizes, average, find_zone

MONDAY = date(2026, 1, 5)
UTC = find_zone(None)


def fits(text: str, value: int, least: int) -> bool:
    """Whether a number is meant by a field, read part by part and as simply as it goes."""
    for part in text.split(","):
        bounds, _, step = part.partition("/")
        first, _, last = bounds.partition("-")
        low = least if first == "*" else int(first)
        high = 99 if first == "*" else int(last or first)
        if low <= value <= high and (value - low) % int(step or 1) == 0:
            return True
    return False


def is_due(cron: str, at: datetime) -> bool:
    minute, hour, day, month, weekday = cron.split()
    sunday_twice = [at.isoweekday() % 7] + ([7] if at.isoweekday() == 7 else [])
    by_day, by_weekday = fits(day, at.day, 1), any(fits(weekday, value, 0) for value in sunday_twice)
    either = day[0] != "*" and weekday[0] != "*"
    return (
        fits(minute, at.minute, 0)
        and fits(hour, at.hour, 0)
        and fits(month, at.month, 1)
        and (by_day or by_weekday if either else by_day and by_weekday)
    )


def walked(start: Sizes, actions: list[tuple[str, Any]], first: date, days: int) -> dict[int, Fraction]:
    """The share of the time by size, in the fourth of equal times, minute by minute in UTC."""
    sizes = start
    origin = datetime(first.year, first.month, first.day, tzinfo=timezone.utc)
    minutes = [origin + timedelta(minutes=minute) for minute in range(days * 1440)]
    due = [[change for cron, change in actions if is_due(cron, at)] for at in minutes]
    found: Counter[int] = Counter()
    for lap in range(4):
        for changes in due:
            for least, most, desired in changes:
                least_now = sizes.least if least is None else least
                most_now = sizes.most if most is None else most
                wanted = desired
                if wanted is None:
                    wanted = max(sizes.desired, least_now)
                    wanted = min(wanted, most_now)
                sizes = Sizes(least_now, most_now, wanted)
            if lap == 3:
                found[sizes.desired] += 1
    return {size: Fraction(count, len(minutes)) for size, count in found.items()}


@st.composite
def fields(draw: st.DrawFn, least: int, most: int) -> str:
    def part() -> str:
        first, last = sorted(draw(st.tuples(*[st.integers(least, most)] * 2)))
        step = draw(st.integers(1, most + 2))
        return draw(
            st.sampled_from(
                [f"{first}", f"{first}-{last}", f"{first}-{last}/{step}", "*", f"*/{step}", f"{first}"]
            )
        )

    return ",".join(part() for _ in range(draw(st.integers(1, 2))))


CRONS = st.tuples(
    st.one_of(st.integers(0, 59).map(str), fields(0, 59)),
    fields(0, 23),
    fields(1, 31),
    st.one_of(st.just("*"), fields(1, 12)),
    fields(0, 7),
).map(" ".join)


@st.composite
def changes(draw: st.DrawFn) -> tuple[int | None, int | None, int | None]:
    least, desired, most = sorted(draw(st.tuples(*[st.integers(0, 5)] * 3)))
    kept = draw(st.sampled_from(["none", "desired", "bounds"]))
    if kept == "bounds":
        return None, None, desired
    return least, most, None if kept == "desired" else desired


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(CRONS, changes()), min_size=1, max_size=3),
    st.integers(0, 6),
    st.dates(date(2024, 1, 1), date(2030, 1, 1)),
    st.integers(1, 9),
)
def test_an_average_is_what_a_walk_through_all_minutes_finds(
    actions: list[tuple[str, tuple[int | None, int | None, int | None]]], desired: int, first: date, days: int
) -> None:
    start = Sizes(0, 6, desired)
    shares = walked(start, actions, first, days)
    found = average(
        start, [Action(parse_cron(cron), UTC, *change) for cron, change in actions], first=first, days=days
    )
    assert found.machines == sum(size * share for size, share in shares.items())
    assert sum(found.removable.values()) <= 1
    assert found.while_called(Fraction(1)) == found.machines
    shown = [found.while_called(Fraction(tenth, 10)) for tenth in range(11)]
    assert shown == sorted(shown)


@settings(max_examples=200, deadline=None)
@given(CRONS, st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))
def test_a_recurrence_has_the_minutes_that_its_fields_mean(cron: str, at: datetime) -> None:
    found = parse_cron(cron)
    assert (
        found.has(at.date()) and at.time().replace(second=0, microsecond=0) in [*found.times()]
    ) == is_due(cron, at)


@given(st.text(alphabet="0123456789*/-, abcMON", max_size=20))
def test_a_text_is_a_recurrence_or_refused(text: str) -> None:
    try:
        found = parse_cron(text)
    except ScheduleError:
        return
    assert len(text.split()) == 5
    assert found.minutes
    assert found.weekdays <= {0, 1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize(
    "text",
    [
        "0 19 * *",
        "0 19 * * * *",
        "60 * * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "5-2 * * * *",
        "*/0 * * * *",
        "5/15 * * * *",
        "0 0 L * *",
        "0 0 ? * *",
        "0 0 * * 1,",
        "mon * * * *",
        "@daily",
        "-1 * * * *",
        "٣ * * * *",
    ],
)
def test_what_is_no_recurrence_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError, match="accepted"):
        parse_cron(text)


def test_months_and_days_have_names_and_sunday_two_numbers() -> None:
    assert parse_cron("0 7 * Jan-mar MON-FRI") == parse_cron("0 7 * 1-3 1-5")
    assert parse_cron("0 7 * * 7") == parse_cron("0 7 * * sun") == parse_cron("0 7 * * 0")


def test_a_day_and_a_weekday_are_both_enough_where_neither_is_a_star() -> None:
    either, both = parse_cron("0 0 13 * 5"), parse_cron("0 0 */2 * 5")
    assert either.has(date(2026, 1, 13))
    assert either.has(date(2026, 1, 9))
    assert not both.has(date(2026, 1, 13))
    assert not both.has(date(2026, 1, 16))
    assert both.has(date(2026, 1, 9))


def working_hours(zone: str) -> list[Action]:
    where = find_zone(zone)
    return [
        Action(parse_cron("0 20 * * *"), where, 0, 0, 0),
        Action(parse_cron("0 7 * * 1-5"), where, 0, 2, 1),
    ]


@pytest.mark.parametrize("zone", ["Etc/UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"])
def test_working_hours_are_as_many_in_each_zone_over_a_year(zone: str) -> None:
    found = average(Sizes(0, 2, 1), working_hours(zone))
    assert found.machines == Fraction(5 * 13, 7 * 24)
    # The sizes at night are 0, and such machines are none to take away.
    assert found.removable == {1: Fraction(65, 168), 0: Fraction(103, 168)}


def test_summer_time_makes_a_night_of_one_week_shorter() -> None:
    last_week_of_march = date(2026, 3, 23)
    night = [
        Action(parse_cron("0 0 * * 0"), find_zone("Europe/Berlin"), 0, 1, 1),
        Action(parse_cron("0 6 * * 0"), find_zone("Europe/Berlin"), 0, 1, 0),
    ]
    assert average(Sizes(0, 1, 0), night, first=last_week_of_march, days=7).machines == Fraction(5, 168)
    assert average(Sizes(0, 1, 0), night, first=MONDAY, days=7).machines == Fraction(6, 168)


def test_calls_come_while_most_machines_are_there() -> None:
    found = average(Sizes(0, 2, 1), working_hours("Etc/UTC"))
    assert found.while_called(Fraction(3, 10)) == Fraction(3, 10)
    assert found.while_called(Fraction(1, 2)) == found.machines
    assert found.while_called(Fraction(0)) == 0


def test_machines_that_stay_are_not_taken_away() -> None:
    assert average(Sizes(2, 6, 2), []).while_called(Fraction(0)) == 2
    # By day two at least, by night none has to be there.
    by_day = [Action(parse_cron("0 8 * * *"), UTC, 2, 2, 2), Action(parse_cron("0 20 * * *"), UTC, 0, 2, 1)]
    found = average(Sizes(0, 2, 0), by_day)
    assert found.machines == Fraction(3, 2)
    assert found.while_called(Fraction(0)) == 1


def test_a_size_that_no_action_names_follows_its_bounds() -> None:
    actions = [
        Action(parse_cron("0 0 * * *"), UTC, 3, 5, None),
        Action(parse_cron("0 12 * * *"), UTC, 0, 1, None),
    ]
    assert average(Sizes(0, 9, 7), actions).machines == 2
    assert average(Sizes(0, 9, 7), [Action(parse_cron("0 0 31 2 *"), UTC, 0, 0, 0)]).machines == 7


def test_a_zone_that_nobody_knows_is_refused() -> None:
    for name in ("Europe/Nowhere", "../etc/passwd", ""):
        with pytest.raises(ScheduleError, match="time zone"):
            find_zone(name)
