"""Which revision's own window a revision is compared with: what was served before it, and still is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from modelserve.drift.verdicts import UNKNOWN, Source
from modelserve.drift.windows import Window

_GENERATION = re.compile(r"(.+)-(\d{5,})")
"""How Knative names revisions by itself."""


def predecessor(
    window: Window, others: Iterable[Window], first_seen: Mapping[str, float], *, seconds: float
) -> Window | None:
    """The last window of the revision that came before this one's, if that is still called.

    Both revisions of a canary get the same mix of calls, whatever that is like today: their windows differ
    where the models do, and a drift of the inputs is in both.

    Args:
        window: that has closed.
        others: the last closed windows of the same component's sources.
        first_seen: when the first closed window of each of its revisions opened, in seconds since 1970.
        seconds: how long before this window's first call another may have closed.
    """
    revision = window.source.revision
    if revision == UNKNOWN:
        return None
    seen = {**first_seen, revision: min(window.opened, first_seen.get(revision, window.opened))}
    older = [
        other
        for other in others
        if other.source.revision not in (UNKNOWN, revision)
        and other.closed >= window.opened - seconds
        and _age_key(other.source, seen) < _age_key(window.source, seen)
    ]
    return max(older, key=lambda other: _age_key(other.source, seen), default=None)


def _age_key(source: Source, seen: Mapping[str, float]) -> tuple[int, float]:
    """Knative's numbers, which tell even of two that were first seen at once; else when it was seen."""
    match = _GENERATION.fullmatch(source.revision)
    return (int(match[2]) if match else 0, seen.get(source.revision, 0.0))
