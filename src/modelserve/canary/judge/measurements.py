"""What is measured of two revisions: counters as they are read, pod by pod, and what other judges say.

Counts are whole: Prometheus's ``increase()`` extrapolates, and a fraction of an error is none. Whoever reads
hands over the counters themselves, in one reading for a pod, so that its errors are among its requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by bucket.

    Attributes:
        edges: the buckets' upper bounds, ascending, without infinity.
        counts: of each bucket alone, one more than edges: the last is of what is above them all.
    """

    edges: Sequence[float]
    counts: Sequence[float]


@dataclass(frozen=True, slots=True)
class Counters:
    """A pod's counters since it started.

    Attributes:
        requests: that were answered, errors among them.
        errors: requests that failed by a fault of the server.
        seconds: of requests, by how long they took; None where it is not told.
        labels: predictions by label.
        confidence: of predictions, by their score; None where it is not told.
    """

    requests: float
    errors: float
    seconds: Histogram | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    confidence: Histogram | None = None


@dataclass(frozen=True, slots=True)
class DriftAlarms:
    """Whether the drift detector has an alarm up for each revision; None where it has no verdict."""

    canary: bool | None
    stable: bool | None


@dataclass(frozen=True, slots=True)
class ShadowCounts:
    """What a shadow comparison of the canary has counted.

    Attributes:
        compared: calls.
        disagreeing: the sum of their shares of items that disagree; at most ``compared``.
    """

    compared: int
    disagreeing: float


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that was read at one time.

    Attributes:
        at_seconds: when, on any clock that only goes forward.
        canary: the pods of the new revision, by name. One that could not be read is left out.
        stable: the pods of the revision that has the rest of the traffic.
        drift: None where no detector is asked.
        shadow: None where no comparison runs.
    """

    at_seconds: float
    canary: Mapping[str, Counters]
    stable: Mapping[str, Counters]
    drift: DriftAlarms | None = None
    shadow: ShadowCounts | None = None
