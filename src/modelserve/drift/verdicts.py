"""What a window of calls is found to be, and of what it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from modelserve.events import Component

UNKNOWN = "unknown"
"""The revision, and the digest of the model, of answers that do not tell: those of V1."""


class Source(NamedTuple):
    """What answers the calls of a window: a revision of a component, with the weights that it had."""

    component: Component
    revision: str
    model_digest: str


class Outcome(str, Enum):
    """What is said of a window."""

    STEADY = "steady"
    DRIFT = "drift"
    NO_VERDICT = "no_verdict"


@dataclass(frozen=True, slots=True)
class FeatureVerdict:
    """One feature of a window against the baseline's.

    Attributes:
        feature: its name.
        detector: the test.
        statistic: of the test.
        p_value: of the test alone.
        corrected_p_value: for the number of features that were tested together.
        effect: from 0 to 1, as ``Comparison`` has it.
        baseline_size: samples of the baseline in which it could be told.
        window_size: samples of the window, likewise.
        drifted: it is significant after the correction, and its effect is not small.
    """

    feature: str
    detector: str
    statistic: float
    p_value: float
    corrected_p_value: float
    effect: float
    baseline_size: int
    window_size: int
    drifted: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """A window against a baseline.

    Attributes:
        source: whose calls they are.
        baseline: ``reference``, ``reference (online)`` where samples are compared with it as they come, or
            the revision whose own window it is compared with.
        reference_version: of the reference; empty where the baseline is a revision or there is none.
        opened: of the first call of the window, in seconds since 1970.
        closed: of the last call, likewise.
        samples: texts or images of the window that were looked at.
        outcome: of this window alone.
        reason: why there is no verdict; empty where there is one.
        features: what moved most comes first.
        alarm: enough of the last windows drifted, this one among them.
    """

    source: Source
    baseline: str
    reference_version: str
    opened: float
    closed: float
    samples: int
    outcome: Outcome
    reason: str
    features: Sequence[FeatureVerdict]
    alarm: bool
