"""What is said of a window that has closed: against the reference, and against the revision before."""

from __future__ import annotations

from collections.abc import Sequence

from modelserve.drift.baselines import References
from modelserve.drift.extremes import farthest
from modelserve.drift.judging import Alarms, Judge, Judgement
from modelserve.drift.peers import Peers
from modelserve.drift.table import Table
from modelserve.drift.verdicts import Outcome, Verdict
from modelserve.drift.windows import Window

REFERENCE = "reference"
"""The name of that baseline; another one is named as the revision is whose window it is."""


class Assessor:
    """Judges windows, and knows what was said of those before.

    Args:
        judge: compares two tables.
        references: the baselines, by model.
        peers: the last windows of all sources.
        alarms: what was said of the windows before.
        most_inputs: of a drifted window, to keep for people to see; 0 keeps none.
    """

    def __init__(
        self, judge: Judge, references: References, peers: Peers, alarms: Alarms, *, most_inputs: int
    ) -> None:
        self._judge, self._references = judge, references
        self._peers, self._alarms = peers, alarms
        self._most_inputs = most_inputs

    def assess(self, window: Window) -> list[tuple[Verdict, Sequence[bytes]]]:
        """The verdicts on a window, each with the inputs that lie farthest from its baseline."""
        found: list[tuple[Verdict, Sequence[bytes]]] = []
        reference = self._references.find(window.source)
        if reference is None:
            judgement = Judgement(Outcome.NO_VERDICT, reason=self._references.why_none(window.source))
            found.append((self._verdict(window, REFERENCE, "", judgement), ()))
        else:
            found.append(self._compare(window, REFERENCE, reference.version, reference.table))
        before = self._peers.predecessor(window)
        if before is not None:
            found.append(self._compare(window, before.source.revision, "", before.table))
        return found

    def close(self, window: Window, verdicts: Sequence[Verdict]) -> None:
        """What was assessed is written down, and counts from here on."""
        self._peers.close(window)
        for verdict in verdicts:
            self._alarms.add(verdict.source, verdict.baseline, verdict.outcome)

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
            alarm=self._alarms.is_up(window.source, baseline, judgement.outcome),
        )
