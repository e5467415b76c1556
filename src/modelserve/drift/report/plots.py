"""The plots of a report, as SVG to be put into the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.ticker import PercentFormatter

from modelserve.drift.table import Column, Kind
from modelserve.drift.verdicts import Outcome, Verdict
from modelserve.reports import INK, plain_axes, svg, time_axis, verbatim

BASELINE, WINDOW, ALARM = "#9aa3ad", "#2563eb", "#c62828"
_MOST_CATEGORIES, _BINS = 10, 24
_LEAST_P = 1e-12  # below which a p-value is drawn no lower


def p_values(verdicts: Sequence[Verdict], *, alpha: float) -> Markup:
    """The smallest corrected p-value of each window over time, windows that drifted in colour.

    Args:
        verdicts: that say something; at least one.
        alpha: of the verdicts.
    """
    times = date2num([datetime.fromtimestamp(one.closed, timezone.utc) for one in verdicts])
    least = [max(_LEAST_P, min(found.corrected_p_value for found in one.features)) for one in verdicts]
    colours = [ALARM if one.outcome is Outcome.DRIFT else WINDOW for one in verdicts]
    figure, axes = plain_axes(7.2, 2.2)
    axes.axhline(alpha, color=INK, linewidth=0.8, linestyle="--")
    axes.annotate(
        f"alpha {alpha:g}",
        (1, alpha),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        fontsize=9,
    )
    axes.plot(times, least, color=BASELINE, linewidth=0.8, zorder=1)
    axes.scatter(times, least, c=colours, s=18, zorder=2)
    axes.set(yscale="log", ylim=(_LEAST_P / 3, 3), ylabel="least p-value (corrected)")
    time_axis(axes)
    return svg(figure, "The least corrected p-value of each window over time")


def distributions(name: str, kind: Kind, baseline: Column, window: Column) -> Markup:
    """A feature in the window and in the baseline, as shares of each."""
    figure, axes = plain_axes(3.5, 2.1)
    if kind is Kind.NUMBER:
        _numbers(axes, baseline, window)
    elif kind is Kind.VECTOR:
        _vectors(axes, baseline, window)
    else:
        _categories(axes, baseline, window)
    axes.set_title(verbatim(name), loc="left", fontsize=10, fontweight="bold", color=INK)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return svg(figure, f"{name} in the window and in the baseline")


def _numbers(axes: Axes, baseline: Column, window: Column) -> None:
    edges = np.histogram_bin_edges(np.concatenate([baseline, window]), bins=_BINS)
    for values, colour, label in ((baseline, BASELINE, "baseline"), (window, WINDOW, "window")):
        shares = np.histogram(values, edges)[0] / len(values)
        axes.stairs(shares, edges, fill=colour == BASELINE, color=colour, linewidth=1.4, label=label)
    axes.legend(frameon=False, fontsize=8)


def _vectors(axes: Axes, baseline: Column, window: Column) -> None:
    """How far the vectors lie from the baseline's centre."""
    centre = baseline.mean(axis=0)
    _numbers(axes, *(np.linalg.norm(values - centre, axis=1) for values in (baseline, window)))
    axes.set_xlabel("distance from the baseline's centre")


def _categories(axes: Axes, baseline: Column, window: Column) -> None:
    names, counts = np.unique(np.concatenate([baseline, window]), return_counts=True)
    if names.dtype != np.bool_:
        names = names[np.argsort(-counts, kind="stable")][:_MOST_CATEGORIES]
    places = np.arange(len(names))
    for shift, (values, colour, label) in enumerate(
        ((baseline, BASELINE, "baseline"), (window, WINDOW, "window"))
    ):
        shares = [np.count_nonzero(values == name) / len(values) for name in names]
        axes.bar(places + 0.4 * shift - 0.2, shares, width=0.4, color=colour, label=label)
    axes.set_xticks(places, [verbatim(str(name)) for name in names], rotation=30 if len(names) > 5 else 0)
    axes.legend(frameon=False, fontsize=8)
