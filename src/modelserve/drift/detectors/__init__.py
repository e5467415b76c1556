"""Two-sample tests behind one protocol, one file each."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points

from modelserve.drift.detectors.chi_squared import ChiSquared
from modelserve.drift.detectors.cramer_von_mises import CramerVonMises
from modelserve.drift.detectors.fisher import Fisher
from modelserve.drift.detectors.kolmogorov_smirnov import KolmogorovSmirnov
from modelserve.drift.detectors.protocol import Comparison, Detector

__all__ = [
    "ChiSquared",
    "Comparison",
    "CramerVonMises",
    "Detector",
    "Fisher",
    "KolmogorovSmirnov",
    "available_detectors",
    "named_detectors",
]

GROUP = "modelserve.drift_detectors"
"""The entry points of further detectors: each names a class or a function that makes one."""

_CLASSICAL = (KolmogorovSmirnov, CramerVonMises, ChiSquared, Fisher)
_USUAL = ("kolmogorov_smirnov", "chi_squared", "fisher", "mmd")
"""One for each kind of feature; the last where alibi-detect is installed."""


def available_detectors() -> list[Detector]:
    """One for each kind of feature that is at hand."""
    found = _all()
    return [found[name] for name in _USUAL if name in found]


def named_detectors(names: Sequence[str]) -> list[Detector]:
    """Detectors by their names.

    Raises:
        ValueError: one of them is not at hand; the message lists those that are.
    """
    found = _all()
    for name in names:
        if name not in found:
            raise ValueError(f"detector {name[:40]!r} is not at hand; accepted are {', '.join(found)}")
    return [found[name] for name in names]


def _all() -> dict[str, Detector]:
    found: dict[str, Detector] = {made.name: made for made in (make() for make in _CLASSICAL)}
    for point in entry_points(group=GROUP):
        try:
            made = point.load()()
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "alibi_detect":
                raise
            continue
        found[made.name] = made
    return found
