"""What is said of a window that has closed: against the reference, and against the revision before."""

from __future__ import annotations

from collections.abc import Sequence

from modelserve.drift.baselines import References
from modelserve.drift.extremes import farthest
from modelserve.drift.judging import AlarmRule, Judge, Judgement
from modelserve.drift.peers import predecessor
from modelserve.drift.settings import DriftSettings
from modelserve.drift.store import Store
from modelserve.drift.table import Table
from modelserve.drift.verdicts import Outcome, Verdict
from modelserve.drift.windows import Window

REFERENCE = "reference"
"""The name of that baseline; another one is named as the revision is whose window it is."""


class Assessor:
    """Judges windows.

    What was said of those before is read from the store each time, so that it is the same after a restart
    and for every replica. A window has hundreds of samples, beside which that is little work.

    Args:
        judge: compares two tables.
        references: the baselines, by model.
        store: has the windows and the verdicts before.
        alarm: when it is up.
        peer_seconds: how long before a window another revision's may have closed to be compared with it.
        most_inputs: of a drifted window, to keep for people to see; 0 keeps none.
    """

    def __init__(
        self,
        judge: Judge,
        references: References,
        store: Store,
        alarm: AlarmRule,
        *,
        peer_seconds: float,
        most_inputs: int,
    ) -> None:
        self._judge, self._references = judge, references
        self._store, self._alarm = store, alarm
        self._peer_seconds, self._most_inputs = peer_seconds, most_inputs

    @classmethod
    def of(
        cls, settings: DriftSettings, references: References, store: Store, *, most_inputs: int
    ) -> Assessor:
        """As settings have it; another revision's window may be as old as a window is long."""
        return cls(
            settings.judge(),
            references,
            store,
            settings.alarm_rule(),
            peer_seconds=settings.window_seconds,
            most_inputs=most_inputs,
        )

    def assess(self, window: Window) -> list[tuple[Verdict, Sequence[bytes]]]:
        """The verdicts on a window, each with the inputs that lie farthest from its baseline.

        Raises:
            StoreError: the store cannot be read.
        """
        if window.flaw:
            return [
                self._say_none(window, f"the samples of this window cannot be judged together: {window.flaw}")
            ]
        found: list[tuple[Verdict, Sequence[bytes]]] = []
        reference = self._references.find(window.source)
        if reference is None:
            found.append(self._say_none(window, self._references.why_none(window.source)))
        else:
            found.append(self._compare(window, REFERENCE, reference.version, reference.table))
        before = self._predecessor(window)
        if before is not None:
            found.append(self._compare(window, before.source.revision, "", before.table))
        return found

    def _say_none(self, window: Window, reason: str) -> tuple[Verdict, Sequence[bytes]]:
        judgement = Judgement(Outcome.NO_VERDICT, reason=reason)
        return self._verdict(window, REFERENCE, "", judgement), ()

    def _predecessor(self, window: Window) -> Window | None:
        component, earliest = window.source.component, window.opened - self._peer_seconds
        others = self._store.last_windows(component, since=earliest)
        if all(other.source == window.source for other in others):
            return None
        first_seen = self._store.first_seen(component)
        return predecessor(window, others, first_seen, seconds=self._peer_seconds)

    def _compare(
        self, window: Window, baseline: str, version: str, table: Table
    ) -> tuple[Verdict, Sequence[bytes]]:
        judgement = self._judge.judge(window.table, table)
        drifted = [found.feature for found in judgement.features if found.drifted]
        places = farthest(window.table, table, drifted, self._most_inputs)
        excerpts = [window.excerpts[place] for place in places]
        shown = [excerpt for excerpt in excerpts if excerpt is not None]
        return self._verdict(window, baseline, version, judgement), shown

    def _verdict(self, window: Window, baseline: str, version: str, judgement: Judgement) -> Verdict:
        before = self._store.last_outcomes(window.source, baseline, most=self._alarm.of)
        return Verdict(
            source=window.source,
            baseline=baseline,
            reference_version=version,
            opened=window.opened,
            closed=window.closed,
            samples=window.table.size,
            outcome=judgement.outcome,
            reason=judgement.reason,
            features=judgement.features,
            alarm=self._alarm.is_up(before, judgement.outcome),
        )
