"""The pieces that queries are made of, so that all dashboards choose, rate and divide in one way."""

from __future__ import annotations

from modelserve.canary.sources.names import MODELSERVE

Matchers = tuple[str, ...]

SERVER: Matchers = ('namespace=~"$namespace"', 'component=~"$component"', 'revision=~"$revision"')
"""Series of a server as a whole, which have no model."""

CALLS: Matchers = (*SERVER, 'model=~"$model"', 'model!=""')
"""Series of models; calls to models that there are none of have an empty name, and belong to no objective."""

_OUTCOMES = ("ok", "invalid_input", "not_found", "too_large", "cancelled")
FAILED = f'outcome!~"{"|".join(outcome for outcome in _OUTCOMES if not MODELSERVE.is_error(outcome))}"'
"""What counts as an error of the service: the same as for the canary judge. A caller's mistake does not."""

WINDOW = "$interval"
RANGE = "$__range"


def series(metric: str, *matchers: str) -> str:
    """A selector."""
    return f"{metric}{{{','.join(matchers)}}}" if matchers else metric


def rate(metric: str, *matchers: str, window: str = WINDOW) -> str:
    """What a counter grows by in a second."""
    return f"rate({series(metric, *matchers)}[{window}])"


def by(labels: str, inner: str, *, how: str = "sum") -> str:
    """An aggregate that keeps these labels; all is one where there are none."""
    return f"{how} by ({labels}) ({inner})" if labels else f"{how}({inner})"


def share(part: str, whole: str) -> str:
    """A part of a whole: 0 where there is no such series of the part, nothing where nothing was counted."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def share_of(metric: str, labels: str, part: str, *matchers: str, window: str = WINDOW) -> str:
    """The share of what a counter counts that this matcher chooses, by these labels; see ``share``."""
    return share(
        by(labels, rate(metric, *matchers, part, window=window)),
        by(labels, rate(metric, *matchers, window=window)),
    )


def quantile(of: float, metric: str, labels: str, *matchers: str, window: str = WINDOW) -> str:
    """A quantile of a histogram, by these labels."""
    buckets = by(f"{labels}, le" if labels else "le", rate(f"{metric}_bucket", *matchers, window=window))
    return f"histogram_quantile({of:g}, {buckets})"


def mean(metric: str, labels: str, *matchers: str, window: str = WINDOW) -> str:
    """The mean of a histogram or summary, by these labels."""
    total = by(labels, rate(f"{metric}_sum", *matchers, window=window))
    number = by(labels, rate(f"{metric}_count", *matchers, window=window))
    return f"{total} / ({number} > 0)"


def failed_share(labels: str, *calls: str, window: str = WINDOW) -> str:
    """The share of these calls that the service failed."""
    return share_of("modelserve_requests_total", labels, FAILED, *calls, window=window)


def slow_share(labels: str, seconds: float, *calls: str, window: str = WINDOW) -> str:
    """The share of these calls that took more seconds than that, which must be an edge of the histogram."""
    quick = by(labels, rate("modelserve_request_seconds_bucket", *calls, f'le="{seconds:g}"', window=window))
    return (
        f"1 - {quick} / ({by(labels, rate('modelserve_request_seconds_count', *calls, window=window))} > 0)"
    )
