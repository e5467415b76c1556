"""What a verdict asks for: to go on, to wait, or to go back; and what is done when waiting has an end."""

from __future__ import annotations

from enum import Enum

from modelserve.canary.judge.policy import OnInconclusive
from modelserve.canary.judge.verdicts import Verdict


class Action(str, Enum):
    """What is to be done with a canary's traffic."""

    ADVANCE = "advance"
    HOLD = "hold"
    ROLL_BACK = "roll_back"


def act(verdict: Verdict, policy: OnInconclusive, *, is_past_deadline: bool) -> Action:
    """What to do now.

    Without a verdict the canary keeps its traffic until the deadline, and then the policy says. Measurements
    that could not be got are no reason to promote, whatever the policy: where it would, the canary is held.

    Args:
        verdict: of the judge.
        policy: for a deadline without a verdict.
        is_past_deadline: whether the step has had its time.
    """
    if verdict is Verdict.FAIL:
        return Action.ROLL_BACK
    if verdict is Verdict.PASS:
        return Action.ADVANCE
    if not is_past_deadline or policy is OnInconclusive.HOLD:
        return Action.HOLD
    if policy is OnInconclusive.ROLL_BACK:
        return Action.ROLL_BACK
    return Action.HOLD if verdict is Verdict.ERROR else Action.ADVANCE
