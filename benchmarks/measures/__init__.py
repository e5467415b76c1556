"""What is measured, a module each: ``measure`` does it, ``claims`` judges it, ``table`` shows it."""

from __future__ import annotations

from typing import cast

from benchmarks.claims import Measure
from benchmarks.measures import cold_start, drain, int8, latency, memory, overload, tensors, throughput

MEASURES: dict[str, Measure] = {
    module.__name__.rpartition(".")[2]: cast("Measure", module)
    for module in (throughput, int8, latency, tensors, cold_start, memory, overload, drain)
}
"""By the name that ``--only`` takes, in the order in which they run."""
