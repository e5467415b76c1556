"""The report for people: one HTML file that needs nothing beside it."""

from __future__ import annotations

from modelserve.reports import format_seconds, page_template
from modelserve.shadow.bounds import Bounds
from modelserve.shadow.curves import Curves
from modelserve.shadow.plots import draw_disagreement, draw_latencies
from modelserve.shadow.summary import Summary

_WORDS = {"agrees": "The shadow agrees", "disagrees": "The shadow disagrees", "no_verdict": "No verdict yet"}


def render(summary: Summary, curves: Curves) -> str:
    """The page.

    Args:
        summary: what it says.
        curves: what its pictures are drawn from.
    """
    template = page_template(
        "modelserve.shadow",
        "report.html",
        percent=_percent,
        seconds=format_seconds,
        share_bounds=_share_bounds,
    )
    disagreement = latencies = None
    if summary.disagreement.count:
        disagreement = draw_disagreement(curves.disagreement, summary.criteria)
        latencies = draw_latencies(curves.logged, curves.replayed)
    return template.render(
        summary=summary,
        headline=_WORDS[summary.verdict.value],
        disagreement_plot=disagreement,
        latency_plot=latencies,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _share_bounds(bounds: Bounds) -> str:
    return f"{_percent(bounds.lower)} to {_percent(bounds.upper)}"
