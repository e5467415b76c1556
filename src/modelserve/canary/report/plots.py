"""The plots of a canary's report, as SVG that stands in the page; times are of UTC.

The two revisions differ in colour, in lightness and in their dashes, and the verdicts in their hatches too:
a page that is printed in black, or seen by eyes that do not tell the colours apart, says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, PercentFormatter

from modelserve.canary.judge.odds import Floats
from modelserve.canary.judge.verdicts import Verdict
from modelserve.canary.report.chronicle import Band, Mark
from modelserve.canary.report.estimates import Both, Estimates
from modelserve.canary.report.windows import Windows
from modelserve.reports import GRID, INK, format_seconds, plain_panels, svg, time_axis, verbatim

CANARY, STABLE = "#0072b2", "#6b7280"
_STYLES = {"canary": (CANARY, "-"), "stable": (STABLE, "--")}
# Of the palette of Okabe and Ito (2008), which colour-blind people tell apart.
_VERDICTS = {
    Verdict.PASS: ("#0072b2", ""),
    Verdict.INCONCLUSIVE: ("#d9dde3", ""),
    Verdict.ERROR: ("#f0c45a", "\\\\\\\\"),
    Verdict.FAIL: ("#d55e00", "////"),
}
_WIDTH = 9.8  # inches, as are these margins: all plots have one axis of time, one below the other
_LEFT, _RIGHT, _TOP, _BOTTOM, _BETWEEN = 1.15, 0.15, 0.45, 0.4, 0.15
_LONGEST = 20  # characters beside a panel
_LEAST_SECONDS = 20.0  # of the time that a plot shows
_LEAST_APART = 0.05  # of the width, for two texts beside each other


@dataclass(frozen=True, slots=True)
class Frame:
    """What all plots of a page have in common; times are seconds since 1970."""

    start: float
    end: float
    marks: Sequence[Mark]

    @property
    def seconds(self) -> float:
        """What a plot shows, one look alone too."""
        return max(self.end - self.start, _LEAST_SECONDS)


@dataclass(frozen=True, slots=True)
class Panel:
    """One thing of both revisions over time."""

    title: str
    both: Both


def draw_shares(panels: Sequence[Panel], measured: Windows, frame: Frame, *, title: str) -> Markup:
    """Shares of both revisions, in a panel each."""
    return _draw(panels, measured, frame, title=title, of_axes=_percent)


def draw_latencies(panels: Sequence[Panel], measured: Windows, frame: Frame, *, title: str) -> Markup:
    """Quantiles of both revisions' latency, in a panel each."""

    def in_seconds(axes: Axes) -> None:
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: format_seconds(value) if value else "0")
        )

    return _draw(panels, measured, frame, title=title, of_axes=in_seconds)


def draw_traffic(
    measured: Windows | None,
    asked: Sequence[tuple[float, float]],
    told: Sequence[tuple[float, float]],
    frame: Frame,
    *,
    title: str,
) -> Markup:
    """The canary's share of the calls: as it was asked, as the cluster said, and as calls came.

    Args:
        measured: how many calls came; None where nothing is known of that.
        asked: from each time on a share, from 0 to 1.
        told: likewise.
        frame: of the page.
        title: what it shows.
    """
    figure, (axes,) = _panels(1.45, 1)
    for points, colour, line, label in (
        (asked, INK, ":", "asked"),
        (told, "#e69f00", "-", "as the cluster says"),
    ):
        if points:
            times, shares = zip(*points, strict=True)
            axes.step(_dates(times), shares, color=colour, linestyle=line, where="post", label=label)
    if measured is not None:
        _band(axes, measured, measured.traffic_shares.canary, "canary", label="of the calls that came")
    _percent(axes)
    axes.set_ylim(0, 1.02)
    _finish([axes], frame)
    _legend(figure, axes.get_legend_handles_labels()[0])
    return svg(figure, title)


def draw_verdicts(bands: Sequence[Band], checks: Sequence[str], frame: Frame, *, title: str) -> Markup:
    """The verdict of each check over time, a row each.

    Args:
        bands: to draw.
        checks: of those, from top to bottom.
        frame: of the page.
        title: what it shows.
    """
    figure, (axes,) = _panels(0.1 + 0.28 * len(checks), 1)
    for band in bands:
        colour, hatch = _VERDICTS[band.verdict]
        start, end = _dates([band.start, max(band.end, band.start + frame.seconds / 200)])
        axes.barh(
            checks.index(band.check),
            end - start,
            left=start,
            height=0.72,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
        )
    axes.set_yticks(range(len(checks)), checks)
    axes.set_ylim(len(checks) - 0.4, -0.6)
    _finish([axes], frame)
    patches = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0, label=verdict.value)
        for verdict, (colour, hatch) in _VERDICTS.items()
    ]
    _legend(figure, patches)
    return svg(figure, title)


def _draw(
    panels: Sequence[Panel], measured: Windows, frame: Frame, *, title: str, of_axes: Callable[[Axes], None]
) -> Markup:
    figure, all_axes = _panels(1.35, len(panels))
    for axes, panel in zip(all_axes, panels, strict=True):
        for estimates, whose in ((panel.both.stable, "stable"), (panel.both.canary, "canary")):
            _band(axes, measured, estimates, whose, label=whose)
        axes.set_ylim(0, _top(panel.both))
        axes.set_ylabel(verbatim(panel.title, _LONGEST), fontsize=9)
        axes.yaxis.set_label_coords((0.25 - _LEFT) / (_WIDTH - _LEFT - _RIGHT), 0.5)
        of_axes(axes)
    _finish(all_axes, frame)
    _legend(figure, all_axes[0].get_legend_handles_labels()[0])
    return svg(figure, title)


def _panels(height: float, count: int) -> tuple[Figure, Sequence[Axes]]:
    """Panels so high each, in inches, and at the same place in all plots."""
    whole = count * height + (count - 1) * _BETWEEN + _TOP + _BOTTOM
    figure, panels = plain_panels(_WIDTH, whole, count)
    figure.set_layout_engine(None)
    figure.subplots_adjust(
        left=_LEFT / _WIDTH,
        right=1 - _RIGHT / _WIDTH,
        top=1 - _TOP / whole,
        bottom=_BOTTOM / whole,
        hspace=_BETWEEN / height,
    )
    return figure, panels


def _band(axes: Axes, measured: Windows, estimates: Estimates, whose: str, *, label: str) -> None:
    """A level for each window, and its interval; nothing between windows that do not touch."""
    colour, line = _STYLES[whose]
    ends = measured.ends
    is_gap = np.append(ends[:-1] != measured.starts[1:], True)
    kept = np.column_stack([np.ones((len(ends), 2), np.bool_), is_gap]).ravel()

    def levels(values: Floats) -> Floats:
        whole = np.column_stack([values, values, np.full(values.shape, np.nan)]).ravel()
        return np.asarray(whole[kept], np.float64)

    times = _dates(np.column_stack([measured.starts, ends, ends]).ravel()[kept])
    lower, upper = levels(estimates.lower), levels(estimates.upper)
    axes.fill_between(times, lower, upper, color=colour, alpha=0.2, linewidth=0)
    axes.plot(times, levels(estimates.value), color=colour, linestyle=line, linewidth=1.5, label=label)


def _top(both: Both) -> float:
    """Of an axis that shows all levels, and intervals where they are not of a few calls alone."""
    levels = np.concatenate([both.canary.value, both.stable.value])
    bounds = np.concatenate([both.canary.upper, both.stable.upper])
    if not np.isfinite(levels).any():
        return 1.0
    return float(1.05 * max(np.nanmax(levels), min(np.nanmax(bounds), 1.5 * np.nanmedian(bounds)), 1e-6))


def _percent(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _finish(all_axes: Sequence[Axes], frame: Frame) -> None:
    margin = frame.seconds / 50
    for axes in all_axes:
        axes.set_xlim(*_dates([frame.start - margin, frame.start + frame.seconds + margin]))
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        for mark in frame.marks:
            axes.axvline(_dates([mark.at])[0], color=INK, linewidth=0.8, linestyle=(0, (1, 3)))
    for place, mark in enumerate(frame.marks):
        if any(other.at - mark.at < _LEAST_APART * frame.seconds for other in frame.marks[place + 1 :]):
            continue
        all_axes[0].annotate(
            mark.text,
            (_dates([mark.at])[0], 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, 1),
            textcoords="offset points",
            fontsize=8,
            color=INK,
            ha="right" if mark.at > frame.start + 0.9 * frame.seconds else "left",
            va="bottom",
        )
    time_axis(all_axes[-1])


def _legend(figure: Figure, handles: Sequence[Artist]) -> None:
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(_LEFT / _WIDTH, 1.0),
        borderaxespad=0.2,
        borderpad=0.0,
        ncols=4,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )


def _dates(times: Sequence[float] | Floats) -> Floats:
    found = date2num([datetime.fromtimestamp(float(time), timezone.utc) for time in times])
    return np.asarray(found, np.float64)
