"""What is said of a shadow, decided from bounds alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from modelserve.shadow.bounds import Bounds


class Outcome(str, Enum):
    """What a comparison comes to."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    NO_VERDICT = "no_verdict"


@dataclass(frozen=True, slots=True)
class Criteria:
    """What is asked of a shadow.

    Attributes:
        tolerance: the share of a call's items in which even equal models may differ, as engines round.
        limit: the share below which a shadow agrees well enough; at least the tolerance.
        confidence: that a verdict is not wrong, however often it is looked for.
    """

    tolerance: float = 0.01
    limit: float = 0.03
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome, and the sentence that says why."""

    outcome: Outcome
    reason: str


def decide(disagreement: Bounds, failures: Bounds, criteria: Criteria) -> Verdict:
    """Judge what is known by now.

    A call that the shadow did not answer is not compared, so that a shadow that fails on the calls that it
    would answer differently must not agree by that: failures are held to the limit as well.

    Args:
        disagreement: of the calls that were compared, the mean share of items that disagree.
        failures: the share of replayed calls that were not answered, or not readably.
        criteria: what is asked.
    """
    if disagreement.lower > criteria.tolerance:
        return Verdict(
            Outcome.DISAGREES,
            f"at least {disagreement.lower:.2%} of the answers differ; {criteria.tolerance:.2%} is tolerated",
        )
    if not disagreement.count:
        return Verdict(Outcome.NO_VERDICT, "no call was compared")
    if disagreement.upper >= criteria.limit:
        return Verdict(
            Outcome.NO_VERDICT,
            f"between {disagreement.lower:.2%} and {disagreement.upper:.2%} of the answers differ; it takes "
            f"more calls to say whether that is below {criteria.limit:.2%} or above {criteria.tolerance:.2%}",
        )
    if failures.upper >= criteria.limit:
        return Verdict(
            Outcome.NO_VERDICT,
            f"the answers that came agree, but up to {failures.upper:.2%} of the calls are not answered, and "
            f"less than {criteria.limit:.2%} is asked",
        )
    return Verdict(
        Outcome.AGREES,
        f"at most {disagreement.upper:.2%} of the answers differ; less than {criteria.limit:.2%} is asked",
    )
