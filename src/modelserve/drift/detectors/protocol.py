"""What every detector takes and says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from modelserve.drift.table import Column, Kind


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two samples of one feature, compared.

    Attributes:
        statistic: of the test, as its authors define it.
        p_value: how likely such a statistic is where both samples are of one distribution.
        effect: how far apart they are, from 0 (not at all) to 1 (they have nothing in common), whatever the
            sizes of the samples.
    """

    statistic: float
    p_value: float
    effect: float


NOTHING = Comparison(statistic=0.0, p_value=1.0, effect=0.0)
"""Samples that do not tell."""


class Detector(Protocol):
    """Compares two samples of a feature of one kind."""

    @property
    def name(self) -> str:
        """Of the test, as metrics and reports say it."""

    @property
    def kind(self) -> Kind:
        """Of the features that it compares."""

    def compare(self, reference: Column, window: Column) -> Comparison:
        """Compare two samples, neither empty, in which nothing is missing.

        Args:
            reference: [n, ...], as ``Kind`` says.
            window: [m, ...], likewise.

        Raises:
            ValueError: these cannot be compared; they are left out of the verdict, and the log says why.
        """
