"""What a detector takes and says that looks at each sample as it comes."""

from __future__ import annotations

from typing import Protocol

from modelserve.drift.detectors.protocol import Comparison
from modelserve.drift.table import Column


class OnlineDetector(Protocol):
    """Compares the last samples of a stream with a reference, at every sample.

    Without drift an alarm comes once in the expected run time for which it was made, on average: a number of
    samples, not of seconds.
    """

    @property
    def name(self) -> str:
        """Of the test, as metrics and reports say it."""

    @property
    def memory(self) -> int:
        """How many samples are compared with the reference: the last ones."""

    def update(self, sample: Column) -> Comparison | None:
        """Take one more sample, in which nothing is missing: what is found where it raises an alarm.

        The p-value is the chance of such an alarm at any one sample.
        """

    def reset(self) -> None:
        """Forget all samples, but not the reference."""
