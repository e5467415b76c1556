"""What a comparison found, in a few lines for a terminal."""

from __future__ import annotations

from modelserve.shadow.bounds import Bounds
from modelserve.shadow.summary import Summary


def table(summary: Summary) -> str:
    """The lines, the verdict first."""
    lines = [f"verdict      {summary.verdict.value}: {summary.reason}"]
    share = summary.disagreement
    if share.count:
        lines.append(
            f"differ       {share.estimate:.2%} of the answers ({share.lower:.2%} to {share.upper:.2%}, "
            f"at any time), {summary.disagreeing_items} of {summary.items} texts or images"
        )
    if summary.f1 is not None:
        lines.append(f"entities F1  {_bounds(summary.f1, '.4f')}")
    if summary.score_distance is not None:
        lines.append(f"scores       {_bounds(summary.score_distance, '.4f')} apart")
    for name, latency in (("logged ms", summary.logged_latency), ("replayed ms", summary.replayed_latency)):
        if latency is not None:
            lines.append(
                f"{name:<12} p50 {1e3 * latency.p50_seconds:.1f}  p90 {1e3 * latency.p90_seconds:.1f}  "
                f"p99 {1e3 * latency.p99_seconds:.1f}"
            )
    for name, counts in (("calls", summary.calls), ("events", summary.events)):
        lines.append(f"{name:<12} " + ", ".join(f"{key}: {count}" for key, count in counts.items()))
    return "\n".join([*lines, *(f"note         {note}" for note in summary.notes)])


def _bounds(bounds: Bounds, form: str) -> str:
    return f"{bounds.estimate:{form}} ({bounds.lower:{form}} to {bounds.upper:{form}})"
