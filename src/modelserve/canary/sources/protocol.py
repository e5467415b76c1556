"""The port through which two revisions are measured."""

from __future__ import annotations

from typing import Protocol

from modelserve.canary.judge.measurements import Look
from modelserve.errors import ModelServeError


class NotMeasured(ModelServeError):
    """Nothing could be read now; the message says why. It may be asked again."""


class Source(Protocol):
    """Counters of revisions, as they are now."""

    def look(self, *, canary: str, stable: str) -> Look:
        """Read both revisions at one time.

        A revision of which nothing is known has no pods in the answer.

        Args:
            canary: the new revision's name.
            stable: the other one's.

        Raises:
            NotMeasured: what is asked does not answer.
        """
