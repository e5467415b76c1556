"""The report for people: one HTML file that needs nothing beside it."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timezone
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from modelserve.shadow.bounds import Bounds
from modelserve.shadow.plots import draw_disagreement, draw_latencies, format_seconds
from modelserve.shadow.results import Results
from modelserve.shadow.summary import Summary

_WORDS = {"agrees": "The shadow agrees", "disagrees": "The shadow disagrees", "no_verdict": "No verdict yet"}


def render(summary: Summary, results: Results) -> str:
    """The page.

    Args:
        summary: what it says.
        results: what its pictures are drawn from.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        percent=_percent, seconds=format_seconds, share_bounds=_share_bounds, data_uri=_data_uri, utc=_utc
    )
    template = environment.from_string(files("modelserve.shadow").joinpath("report.html").read_text("utf-8"))
    compared = results.disagreement.count > 0
    disagreement = latencies = None
    if compared:
        # What matplotlib writes is markup on purpose; all else is escaped.
        disagreement = Markup(
            draw_disagreement(results.history.points(summary.disagreement), summary.criteria)
        )
        latencies = Markup(draw_latencies(results.logged_latencies, results.replayed_latencies))
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


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"
