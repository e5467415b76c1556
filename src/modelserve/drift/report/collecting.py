"""What a report says, before it is written in any form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from modelserve.drift.references import Reference
from modelserve.drift.rows import StoredVerdict
from modelserve.drift.saying import verdict_json
from modelserve.drift.store import Store
from modelserve.drift.table import Table
from modelserve.drift.verdicts import Outcome, Source, Verdict


@dataclass(frozen=True, slots=True)
class Chapter:
    """One revision against one baseline.

    Attributes:
        source: whose windows they are.
        baseline: ``reference``, or the revision that it is compared with.
        verdicts: on its windows, the oldest first; at least one.
        inputs: of the last window that drifted, those farthest from the baseline.
        window: features of the last window, where they are still kept.
        against: features of the baseline, likewise.
    """

    source: Source
    baseline: str
    verdicts: Sequence[Verdict]
    inputs: Sequence[bytes]
    window: Table | None
    against: Table | None

    @property
    def last(self) -> Verdict:
        """The verdict on the last window."""
        return self.verdicts[-1]


def collect(store: Store, stored: Sequence[StoredVerdict], references: Iterable[Reference]) -> list[Chapter]:
    """A chapter for each revision and baseline, those with an alarm first.

    Args:
        store: has the last windows.
        stored: its verdicts that are to be told, the oldest first.
        references: those that they may be about.
    """
    windows = {window.source: window.table for window in store.last_windows()}
    tables = {reference.version: reference.table for reference in references}
    by_pair: dict[tuple[Source, str], list[StoredVerdict]] = {}
    for one in stored:
        by_pair.setdefault((one.verdict.source, one.verdict.baseline), []).append(one)
    by_revision = {source.revision: table for source, table in windows.items()}
    chapters = []
    for (source, baseline), found in by_pair.items():
        last = found[-1].verdict
        drifted = [one for one in found if one.verdict.outcome is Outcome.DRIFT]
        chapters.append(
            Chapter(
                source,
                baseline,
                [one.verdict for one in found],
                drifted[-1].inputs if drifted else (),
                windows.get(source),
                tables.get(last.reference_version) if last.reference_version else by_revision.get(baseline),
            )
        )
    return sorted(chapters, key=lambda chapter: (not chapter.last.alarm, chapter.source, chapter.baseline))


def report_json(chapters: Sequence[Chapter]) -> list[dict[str, Any]]:
    """Every verdict of the chapters, as in events."""
    return [verdict_json(verdict) for chapter in chapters for verdict in chapter.verdicts]
