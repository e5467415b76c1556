"""What pages of reports have in common."""

from __future__ import annotations

import re
from html import unescape

import pytest

from modelserve.reports import format_seconds, plain_axes, svg, time_axis, verbatim


@pytest.mark.parametrize("seconds", [1, 62, 70, 200, 240, 290, 3000, 14000, 17000, 90000, 4e5, 1e7, 1e9])
def test_any_span_of_time_has_an_axis(seconds: float) -> None:
    """A span in which matplotlib finds no ticks makes it warn, and a warning fails a test here."""
    figure, axes = plain_axes(9.8, 2.0)
    axes.plot([20_000, 20_000 + seconds / 86_400], [0, 1])
    time_axis(axes)
    assert len(axes.get_xticks()) <= 9
    assert svg(figure, "a span").startswith("<svg")


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.3456, "12.3 s"), (0.25, "250 ms"), (-0.0015, "-1.5 ms"), (2.5e-5, "25 µs")]
)
def test_seconds_are_short(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize("name", ["$x^$", r"\$x", "製品", "<b> & co"])
def test_a_name_is_drawn_as_it_is(name: str) -> None:
    figure, axes = plain_axes(2.0, 2.0)
    axes.set_title(verbatim(name))
    # Between two elements, as SVG has text; HTML's entities are those of XML here.
    texts = re.findall(r">([^<>]+)</text>", svg(figure, "a name"))
    assert unescape(texts[-1]) == name


def test_a_name_is_one_short_line() -> None:
    assert verbatim("a\nb\x01c", 4) == "a�b…"
    assert verbatim("abcd", 4) == "abcd"
