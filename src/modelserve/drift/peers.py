"""Which revision's own window a revision is compared with: what was served before it, and still is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from modelserve.drift.verdicts import UNKNOWN, Source
from modelserve.drift.windows import Window
from modelserve.events import Component

_GENERATION = re.compile(r"(.+)-(\d{5,})")
"""How Knative names revisions by itself."""


class Peers:
    """The last window of each source.

    Both revisions of a canary get the same mix of calls, whatever that is like today: their windows differ
    where the models do, and a drift of the inputs is in both.

    Args:
        seconds: how long before another's first call a window may have closed to be compared with it.
        windows: the last of each source, from before a restart.
        first_seen: of each source, likewise, in seconds since 1970.
    """

    def __init__(
        self,
        *,
        seconds: float,
        windows: Iterable[Window] = (),
        first_seen: Mapping[Source, float] | None = None,
    ) -> None:
        self._seconds = seconds
        self._last = {window.source: window for window in windows}
        self._first_seen: dict[tuple[Component, str], float] = {}
        for source, at in (first_seen or {}).items():
            self.see(source, at)

    def see(self, source: Source, at: float) -> None:
        """A source was called then, in seconds since 1970."""
        key = (source.component, source.revision)
        self._first_seen[key] = min(at, self._first_seen.get(key, at))

    def close(self, window: Window) -> None:
        """A source's window has closed."""
        self.see(window.source, window.opened)
        self._last = {
            source: last
            for source, last in self._last.items()
            if last.closed >= window.opened - self._seconds
        }
        self._last[window.source] = window

    def predecessor(self, window: Window) -> Window | None:
        """The last window of the revision that came before this one's, if that is still called."""
        if window.source.revision == UNKNOWN:
            return None
        older = [
            other
            for other in self._last.values()
            if other.source.component == window.source.component
            and other.source.revision not in (UNKNOWN, window.source.revision)
            and other.closed >= window.opened - self._seconds
            and self._is_older(other.source, window.source)
        ]
        return max(older, key=lambda other: self._age_key(other.source), default=None)

    def _is_older(self, one: Source, other: Source) -> bool:
        return self._age_key(one) < self._age_key(other)

    def _age_key(self, source: Source) -> tuple[int, float]:
        """Knative's numbers, which tell even of two that were first seen at once; else when it was seen."""
        match = _GENERATION.fullmatch(source.revision)
        return (
            int(match[2]) if match else 0,
            self._first_seen.get((source.component, source.revision), 0.0),
        )
