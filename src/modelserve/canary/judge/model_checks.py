"""What other judges of the model say, as findings: the drift detector and the shadow comparison."""

from __future__ import annotations

from modelserve.canary.judge.measurements import DriftAlarms, ShadowCounts
from modelserve.canary.judge.policy import ShareLimits
from modelserve.canary.judge.verdicts import Finding, Verdict
from modelserve.shadow.sequence import share_bounds


def check_drift(alarms: DriftAlarms | None) -> Finding:
    """Find drift that is the canary's alone; what both revisions have is in what callers send.

    The detector has error rates and windows of its own, which are no part of the policy's alpha.
    """
    if alarms is None or alarms.canary is None:
        return Finding("drift", Verdict.INCONCLUSIVE, "drift: no verdict of the canary's predictions yet")
    if not alarms.canary:
        return Finding("drift", Verdict.PASS, "drift: no alarm for the canary")
    if alarms.stable is None:
        return Finding(
            "drift",
            Verdict.INCONCLUSIVE,
            "drift: an alarm for the canary, and no verdict of the stable revision to tell whose it is",
        )
    if alarms.stable:
        return Finding("drift", Verdict.PASS, "drift: an alarm for both revisions, so it is in the calls")
    return Finding("drift", Verdict.FAIL, "drift: an alarm for the canary, and none for the stable revision")


def check_shadow(
    counts: ShadowCounts | None, limits: ShareLimits, *, alpha: float, pass_error: float
) -> Finding:
    """Find a canary that answers otherwise than is tolerated.

    Args:
        counts: of the comparison; None where none runs.
        limits: for the share of calls that disagree.
        alpha: the chance of a false failure, at any look.
        pass_error: the chance of a false pass.
    """
    if counts is None or not counts.compared:
        return Finding("shadow", Verdict.INCONCLUSIVE, "shadow: no call was compared")
    if not 0 <= counts.disagreeing <= counts.compared:
        return Finding(
            "shadow",
            Verdict.ERROR,
            f"shadow: {counts.disagreeing:g} of {counts.compared} calls disagree; it must be from 0 to all",
        )
    told = f"shadow: {counts.disagreeing / counts.compared:.2%} of {counts.compared:,} calls disagree"
    lower = share_bounds(counts.disagreeing, counts.compared, 1 - alpha).lower
    if lower > limits.tolerated:
        return Finding(
            "shadow",
            Verdict.FAIL,
            f"{told}; at least {lower:.2%} with confidence {1 - alpha:.2%}, and {limits.tolerated:.2%} is "
            "tolerated",
        )
    upper = share_bounds(counts.disagreeing, counts.compared, 1 - pass_error).upper
    if upper < limits.limit:
        return Finding(
            "shadow", Verdict.PASS, f"{told}; at most {upper:.2%} with confidence {1 - pass_error:.0%}"
        )
    return Finding(
        "shadow",
        Verdict.INCONCLUSIVE,
        f"{told}; up to {upper:.2%}, and less than {limits.limit:.2%} is asked",
    )
