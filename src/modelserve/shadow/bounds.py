"""An estimate with the bounds that its true value has at some confidence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """``estimate`` of ``count`` observations, between ``lower`` and ``upper``."""

    estimate: float
    lower: float
    upper: float
    count: int
