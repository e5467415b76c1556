"""The decision, from bounds alone."""

from __future__ import annotations

import pytest

from modelserve.shadow.bounds import Bounds
from modelserve.shadow.verdicts import Criteria, Outcome, decide

CRITERIA = Criteria(tolerance=0.01, limit=0.03)
NO_FAILURES = Bounds(0.0, 0.0, 0.001, 5000)


def share(lower: float, upper: float, count: int = 5000) -> Bounds:
    return Bounds((lower + upper) / 2, lower, upper, count)


@pytest.mark.parametrize(
    ("disagreement", "failures", "outcome", "reason"),
    [
        (share(0.0, 0.02), NO_FAILURES, Outcome.AGREES, "at most 2.00%"),
        (share(0.04, 0.06), NO_FAILURES, Outcome.DISAGREES, "at least 4.00%"),
        (share(0.0, 0.03), NO_FAILURES, Outcome.NO_VERDICT, "more calls"),
        (share(0.01, 0.05), NO_FAILURES, Outcome.NO_VERDICT, "more calls"),
        (share(0.011, 0.029), NO_FAILURES, Outcome.DISAGREES, "at least 1.10%"),
        (share(0.0, 0.02), share(0.1, 0.2), Outcome.NO_VERDICT, "20.00% of the calls are not answered"),
        (share(0.0, 0.02), share(0.0, 0.03), Outcome.NO_VERDICT, "not answered"),
        (share(0.04, 0.06), share(0.1, 0.2), Outcome.DISAGREES, "at least 4.00%"),
        (share(0.0, 1.0, 0), share(0.0, 1.0, 0), Outcome.NO_VERDICT, "no call was compared"),
    ],
)
def test_every_outcome(disagreement: Bounds, failures: Bounds, outcome: Outcome, reason: str) -> None:
    verdict = decide(disagreement, failures, CRITERIA)
    assert verdict.outcome is outcome
    assert reason in verdict.reason
