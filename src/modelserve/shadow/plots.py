"""The report's two pictures, as SVG that stands in a page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from modelserve.reports import GRID, INK, format_seconds, plain_axes, svg
from modelserve.shadow.bounds import Bounds
from modelserve.shadow.verdicts import Criteria

LOGGED, REPLAYED = "#6b7280", "#1b6ca8"
_TOLERANCE = "#b2182b"


def draw_disagreement(points: Sequence[Bounds], criteria: Criteria) -> Markup:
    """The share of disagreement over calls, with its bounds, beside what is asked.

    Args:
        points: ascending by their counts.
        criteria: tolerance and limit.
    """
    figure, axes = plain_axes(6.4, 3.2)
    counts = [point.count for point in points]
    axes.fill_between(
        counts,
        [point.lower for point in points],
        [point.upper for point in points],
        color=REPLAYED,
        alpha=0.18,
        linewidth=0,
        label=f"{criteria.confidence:.0%} confidence sequence",
    )
    axes.plot(counts, [point.estimate for point in points], color=REPLAYED, label="share that differs")
    axes.axhline(criteria.limit, color=_TOLERANCE, linestyle=":", linewidth=1.2, label="limit")
    axes.axhline(criteria.tolerance, color=_TOLERANCE, linestyle="--", linewidth=1.2, label="tolerance")
    last = points[-1]
    # The first few calls say nothing: their bounds would flatten all that follows.
    axes.set_ylim(0, min(1.0, 1.6 * max(last.upper, criteria.limit)))
    axes.set_xlim(0, max(last.count, 1))
    axes.set_xlabel("calls compared")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, ncols=2, fontsize=9, labelcolor=INK)
    return svg(figure, "The share of disagreement over calls, with its bounds")


def draw_latencies(logged: Sequence[tuple[float, float]], replayed: Sequence[tuple[float, float]]) -> Markup:
    """The share of calls that took no longer.

    Args:
        logged: seconds and shares of the logged answers, ascending.
        replayed: of the new ones.
    """
    figure, axes = plain_axes(6.4, 3.2)
    for distribution, colour, label in ((logged, LOGGED, "logged"), (replayed, REPLAYED, "replayed")):
        seconds, shares = zip(*distribution, strict=True)
        axes.step([seconds[0], *seconds], [0.0, *shares], color=colour, where="post", label=label)
    for share in (0.5, 0.9, 0.99):
        axes.axhline(share, color=GRID, linewidth=1, zorder=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_seconds(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 0.9, 0.99], ["0", "50%", "90%", "99%"])
    axes.set_xlabel("time from the request to its answer")
    axes.legend(frameon=False, loc="lower right", fontsize=9, labelcolor=INK)
    return svg(figure, "The share of calls that took no longer, logged and replayed")
