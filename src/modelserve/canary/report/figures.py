"""The figures of a report: a plot, what it says in words, and its numbers in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from math import isnan

import numpy as np
from markupsafe import Markup

from modelserve.canary.judge.odds import Floats, Integers
from modelserve.canary.judge.policy import Policy
from modelserve.canary.report.estimates import Both, Estimates, shares
from modelserve.canary.report.plots import Frame, Panel, draw_latencies, draw_shares, draw_traffic
from modelserve.canary.report.windows import Windows
from modelserve.reports import format_seconds

_MOST_LABELS = 4

_WINDOWS = (
    "Each level is of a window of time by itself, and the band around it is a 95% interval of that window. "
    "The judge weighs all looks together: bands that touch say nothing against its verdict."
)


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers as they are read; the first column is what a row is of."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot beside what it says.

    Attributes:
        title: of what it is.
        plot: the drawing.
        text: what the plot shows, for those who do not see it.
        caption: how to read it.
        tables: its numbers.
    """

    title: str
    plot: Markup
    text: str
    caption: str
    tables: Sequence[Table]


def traffic_figure(
    measured: Windows | None,
    asked: Sequence[tuple[float, float]],
    told: Sequence[tuple[float, float]],
    frame: Frame,
) -> Figure:
    """The canary's share of the calls."""
    title = "Traffic: the canary's share of all calls"
    plot = draw_traffic(measured, asked, told, frame, title=title)
    tables, text = [], "No calls were counted."
    if measured is not None:
        canary, stable = measured.traffic
        share = measured.traffic_shares.canary
        rows = [
            [time, f"{one:,}", f"{other:,}", _interval(share, index, _percent)]
            for index, (time, one, other) in enumerate(zip(_times(measured), canary, stable, strict=True))
        ]
        tables = [Table("Calls by window", ("window", "to the canary", "to stable", "canary's share"), rows)]
        text = f"Drawn are {canary.sum():,} calls to the canary and {stable.sum():,} to the stable revision."
    caption = "All calls are counted here; those of pods that are cold are left out of everything below."
    return Figure(title, plot, text, caption, tables)


def figures(measured: Windows, policy: Policy, frame: Frame) -> Iterator[Figure]:
    """The figures of what was measured, but for the traffic: errors, latency and labels, where asked."""
    if policy.errors is not None:
        title = "Errors: the share of calls that failed"
        both = measured.error_shares
        plot = draw_shares([Panel("errors", both)], measured, frame, title=title)
        counts = zip(measured.errors, measured.calls, strict=True)
        canary, stable = (f"{events.sum():,} of {calls.sum():,}" for events, calls in counts)
        text = f"Of what is drawn {canary} calls of the canary failed, and {stable} of the stable revision."
        yield Figure(title, plot, text, _WINDOWS, [_table("Errors by window", measured, both, _percent)])
    yield from _latency(measured, policy, frame)
    if policy.labels is not None and measured.labels:
        yield _labels(measured, frame)


def _latency(measured: Windows, policy: Policy, frame: Frame) -> Iterator[Figure]:
    asked = [(limits.quantile, measured.latency(limits.quantile)) for limits in policy.latency]
    found = [(f"p{100 * quantile:g}", both) for quantile, both in asked if both is not None]
    if not found:
        return
    title = "Latency: quantiles of the time that calls took"
    plot = draw_latencies([Panel(*one) for one in found], measured, frame, title=title)
    last = (f"{name} {_last(both, format_seconds)}" for name, both in found)
    text = f"In the last window, canary and stable: {'; '.join(last)}."
    tables = [_table(f"{name} by window", measured, both, format_seconds) for name, both in found]
    caption = (
        f"{_WINDOWS} Quantiles are interpolated in the buckets of a histogram, and never beyond the last one."
    )
    yield Figure(title, plot, text, caption, tables)


def _labels(measured: Windows, frame: Frame) -> Figure:
    canary, stable = measured.canary_labels.sum(axis=0), measured.stable_labels.sum(axis=0)
    both = Both(_of_all(canary), _of_all(stable))
    moved = np.nan_to_num(np.abs(both.canary.value - both.stable.value))
    order = np.argsort(-moved, kind="stable")
    shown = [
        Panel(measured.labels[index], measured.label_shares(int(index))) for index in order[:_MOST_LABELS]
    ]
    title = "Labels: shares of the predictions"
    plot = draw_shares(shown, measured, frame, title=title)
    rows = [
        [
            measured.labels[index],
            f"{canary[index]:,}",
            _interval(both.canary, index, _percent),
            f"{stable[index]:,}",
            _interval(both.stable, index, _percent),
        ]
        for index in order
    ]
    head = ("label", "canary", "share", "stable", "share")
    tables = [
        Table("All labels over all windows, what moved most first", head, rows),
        *(_table(f"{panel.title} by window", measured, panel.both, _percent) for panel in shown),
    ]
    first = int(order[0])
    text = (
        f"{measured.labels[first]} moved most: {_percent(float(both.canary.value[first]))} of the canary's "
        f"predictions, and {_percent(float(both.stable.value[first]))} of the stable revision's."
    )
    few = f" Of {len(order)} labels those that moved most are drawn." if len(order) > len(shown) else ""
    return Figure(title, plot, text, _WINDOWS + few, tables)


def _of_all(predictions: Integers) -> Estimates:
    return shares(predictions, np.full(predictions.shape, predictions.sum()))


def _table(caption: str, measured: Windows, both: Both, form: Callable[[float], str]) -> Table:
    rows = [
        [
            time,
            f"{calls:,}",
            _interval(both.canary, index, form),
            f"{stable_calls:,}",
            _interval(both.stable, index, form),
        ]
        for index, (time, calls, stable_calls) in enumerate(
            zip(_times(measured), *measured.calls, strict=True)
        )
    ]
    return Table(caption, ("window", "canary's calls", "canary", "stable's calls", "stable"), rows)


def _times(measured: Windows) -> list[str]:
    def clock(seconds: float) -> str:
        return f"{datetime.fromtimestamp(seconds, timezone.utc):%H:%M:%S}"

    ends = zip(measured.starts.tolist(), measured.ends.tolist(), strict=True)
    return [f"{clock(start)} to {clock(end)}" for start, end in ends]


def _interval(estimates: Estimates, index: int, form: Callable[[float], str]) -> str:
    value, lower, upper = (float(of[index]) for of in (estimates.value, estimates.lower, estimates.upper))
    return "none" if isnan(value) else f"{form(value)} ({form(lower)} to {form(upper)})"


def _last(both: Both, form: Callable[[float], str]) -> str:
    return " and ".join(_known(of.value, form) for of in (both.canary, both.stable))


def _known(values: Floats, form: Callable[[float], str]) -> str:
    last = float(values[-1])
    return "unknown" if isnan(last) else form(last)


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"
