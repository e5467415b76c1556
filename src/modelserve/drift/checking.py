"""The whole of drift detection over a file of logged events, on this machine alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelserve.drift.assessing import Assessor
from modelserve.drift.baselines import References
from modelserve.drift.monitor import MonitorOptions, local_monitor
from modelserve.drift.references import Reference
from modelserve.drift.report.collecting import Chapter, collect
from modelserve.drift.settings import DriftSettings
from modelserve.drift.store import Store
from modelserve.drift.verdicts import Outcome
from modelserve.events import Event, EventError, logged_message

_MOST_INPUTS = 10


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a file.

    Attributes:
        chapters: a chapter for each revision and baseline.
        outcomes: what became of the events; those that waited for their other half at the end are
            ``half_request`` and ``half_response``.
        is_alarm: whether an alarm was up at any time; None where there are too few windows to tell.
    """

    chapters: Sequence[Chapter]
    outcomes: Counter[str]
    is_alarm: bool | None


def check(events: Iterable[Event], references: Sequence[Reference], settings: DriftSettings) -> Checked:
    """Judge what a file holds, by the clock of its events."""
    store = Store("sqlite://")
    now, rejected = -math.inf, Counter[str]()
    known = References(references)
    assessor = Assessor.of(settings, known, store, most_inputs=_MOST_INPUTS)
    options = MonitorOptions(
        window_samples=settings.window_samples,
        window_seconds=settings.window_seconds,
    )
    monitor = local_monitor(store, known, assessor, options, tell=lambda _: None, clock=lambda: now)
    for event in events:
        try:
            message = logged_message(event)
        except EventError as error:
            rejected[error.rejection.value] += 1
            continue
        now = max(now, message.time)
        monitor.take(message)
        monitor.idle()
    now = math.inf  # nothing more will come: what waits has waited long enough
    monitor.idle()
    chapters = collect(store, store.verdicts(), references)
    store.close()
    return Checked(chapters, monitor.outcomes + rejected, _is_alarm(chapters, settings.alarm_needed))


def _is_alarm(chapters: Sequence[Chapter], needed: int) -> bool | None:
    verdicts = [verdict for chapter in chapters for verdict in chapter.verdicts]
    if any(verdict.alarm for verdict in verdicts):
        return True
    judged = [
        sum(verdict.outcome is not Outcome.NO_VERDICT for verdict in chapter.verdicts) for chapter in chapters
    ]
    drifted = any(verdict.outcome is Outcome.DRIFT for verdict in verdicts)
    # A window that drifted may be the first of several that would raise an alarm.
    return None if not any(judged) or (drifted and max(judged) < needed) else False
