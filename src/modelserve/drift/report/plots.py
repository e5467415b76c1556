"""The plots of a report, as SVG to be put into the page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime, timezone

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from modelserve.drift.table import Column, Kind
from modelserve.drift.verdicts import Outcome, Verdict

BASELINE, WINDOW, ALARM, INK = "#9aa3ad", "#2563eb", "#c62828", "#334155"
_MOST_CATEGORIES, _BINS = 10, 24
_LEAST_P = 1e-12  # below which a p-value is drawn no lower
_STYLE = {
    "font.size": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "modelserve",  # the same report is the same bytes
    "svg.fonttype": "none",
}


def p_values(verdicts: Sequence[Verdict], *, alpha: float) -> str:
    """The smallest corrected p-value of each window over time, windows that drifted in colour."""
    said = [one for one in verdicts if one.outcome is not Outcome.NO_VERDICT]
    times = date2num([datetime.fromtimestamp(one.closed, timezone.utc) for one in said])
    least = [max(_LEAST_P, min(found.corrected_p_value for found in one.features)) for one in said]
    colours = [ALARM if one.outcome is Outcome.DRIFT else WINDOW for one in said]
    with rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 2.2), layout="constrained")
        axes = figure.subplots()
        axes.axhline(alpha, color=INK, linewidth=0.8, linestyle="--")
        axes.annotate(
            f"alpha {alpha:g}", (1, alpha), xycoords=("axes fraction", "data"), ha="right", va="bottom"
        )
        axes.plot(times, least, color=BASELINE, linewidth=0.8, zorder=1)
        axes.scatter(times, least, c=colours, s=18, zorder=2)
        axes.set(yscale="log", ylim=(_LEAST_P / 3, 3), ylabel="least p-value (corrected)")
        locator = AutoDateLocator(maxticks=8)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        return _svg(figure, "The least corrected p-value of each window over time")


def distributions(name: str, kind: Kind, baseline: Column, window: Column) -> str:
    """A feature in the window and in the baseline, as shares of each."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(3.5, 2.1), layout="constrained")
        axes = figure.subplots()
        if kind is Kind.NUMBER:
            _numbers(axes, baseline, window)
        elif kind is Kind.VECTOR:
            _vectors(axes, baseline, window)
        else:
            _categories(axes, baseline, window)
        axes.set_title(name, loc="left", fontweight="bold", color=INK)
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        return _svg(figure, f"{name} in the window and in the baseline")


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
    axes.set_xticks(places, [str(name) for name in names], rotation=30 if len(names) > 5 else 0)
    axes.legend(frameon=False, fontsize=8)


def _svg(figure: Figure, title: str) -> str:
    stream = io.StringIO()
    # matplotlib writes the time of the drawing otherwise.
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Title": title})
    drawn = stream.getvalue()
    return drawn[drawn.index("<svg") :]
