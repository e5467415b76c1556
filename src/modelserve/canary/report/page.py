"""A canary's report as one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelserve.canary.judge.increments import UnusableMeasurements
from modelserve.canary.judge.policy import Policy, ShareLimits
from modelserve.canary.report.chronicle import (
    asked,
    bands,
    entries,
    last_judgement,
    last_measured,
    marks,
    outcome,
)
from modelserve.canary.report.figures import Figure, Table, figures, traffic_figure
from modelserve.canary.report.plots import Frame, draw_verdicts
from modelserve.canary.report.windows import Windows, windows
from modelserve.canary.running.course import Phase
from modelserve.canary.running.driver import Progress
from modelserve.canary.running.plan import Plan
from modelserve.reports import page_template

_VERDICTS_TITLE = "Verdicts: what each check came to over time"


def render(
    progress: Sequence[Progress],
    *,
    service: str,
    plan: Plan | None,
    policy: Policy,
    at: float,
    ended_by: str = "",
) -> str:
    """The page.

    Args:
        progress: all of it, in the order of time; empty where no canary was begun.
        service: what people call it.
        plan: the steps; None where the traffic was not moved by any.
        policy: what the canary was judged by.
        at: when the page is written, in seconds since 1970.
        ended_by: what ended it before the course did, a sentence; empty where nothing did.
    """
    word, sentence = outcome(progress, plan)
    measured, unusable = _measured(progress, policy)
    last = last_measured(progress)
    judgement = last_judgement(progress)
    return page_template("modelserve.canary.report", "page.html.jinja").render(
        service=service,
        at=at,
        word=word,
        sentence=sentence,
        ended_by=ended_by,
        expected=progress[-1].course.expected if progress else None,
        span=(progress[0].at, progress[-1].at) if progress else None,
        judgement=judgement,
        earlier=last if last is not None and last.judgement is not judgement else None,
        unusable=unusable,
        figures=list(_figures(progress, plan, policy, measured)) if progress else [],
        policy=_policy(policy),
        plan=plan,
        on_inconclusive=policy.on_inconclusive.value,
        entries=list(entries(progress)),
    )


def _measured(progress: Sequence[Progress], policy: Policy) -> tuple[Windows | None, str]:
    try:
        return windows(progress, policy), ""
    except UnusableMeasurements as error:
        return None, str(error)


def _figures(
    progress: Sequence[Progress], plan: Plan | None, policy: Policy, measured: Windows | None
) -> Iterator[Figure]:
    frame = Frame(progress[0].at, progress[-1].at, marks(progress, plan))
    found = bands(progress)
    if found:
        last = last_judgement(progress)
        said = [f"{one.check} {one.verdict.value}" for one in last.findings] if last else []
        order = ["traffic", *policy.alphas(), "drift", "measurements"]
        checks = sorted(
            {band.check for band in found},
            key=lambda check: order.index(check) if check in order else len(order),
        )
        plot = draw_verdicts(found, checks, frame, title=_VERDICTS_TITLE)
        caption = "A check is as it was judged last, until the next look."
        yield Figure(_VERDICTS_TITLE, plot, f"At the end: {', '.join(said)}.", caption, ())
    if plan is not None or measured is not None:
        yield traffic_figure(measured, asked(progress, plan), _told(progress), frame)
    if measured is not None:
        yield from figures(measured, policy, frame)


def _told(progress: Sequence[Progress]) -> list[tuple[float, float]]:
    """What the cluster said of the canary's share. Promoted, it is no canary any more, and has all calls."""
    found = []
    for one in progress:
        if one.course.phase is Phase.PROMOTED:
            found.append((one.at, 1.0))
        else:
            found.append((one.at, float("nan") if one.percent is None else one.percent / 100))
    return found if any(one.percent is not None for one in progress) else []


def _policy(policy: Policy) -> Table:
    """What is asked, check by check."""
    asked_for: dict[str, tuple[str, str]] = {}
    if policy.errors is not None:
        asked_for["errors"] = _points(policy.errors)
    for latency in policy.latency:
        asked_for[latency.check] = _slower(latency.tolerated), _slower(latency.limit)
    for check, limits in (
        ("labels", policy.labels),
        ("confidence", policy.confidence),
        ("shadow", policy.shadow),
    ):
        if limits is not None:
            asked_for[check] = _points(limits)
    rows = [[check, *asked_for[check], f"{100 * alpha:.2g}%"] for check, alpha in policy.alphas().items()]
    if policy.drift:
        rows.append(["drift", "an alarm of both", "one of the canary's alone", "the detector's"])
    return Table("What the canary was asked for", ("check", "tolerated", "limit", "false alarms"), rows)


def _slower(factor: float) -> str:
    return f"{100 * (factor - 1):.3g}% slower"


def _points(limits: ShareLimits) -> tuple[str, str]:
    return f"{100 * limits.tolerated:.3g} points", f"{100 * limits.limit:.3g} points"
