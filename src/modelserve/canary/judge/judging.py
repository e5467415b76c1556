"""The judge: all looks at both revisions, and a policy, to one judgement.

It is a function of everything that was seen since the canary began, and keeps nothing: asked again with the
same looks, by another process, it says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modelserve.canary.judge.checks import weigh_checks
from modelserve.canary.judge.increments import Increments, UnusableMeasurements, increments
from modelserve.canary.judge.measurements import Look
from modelserve.canary.judge.model_checks import check_drift, check_shadow
from modelserve.canary.judge.pairing import paired
from modelserve.canary.judge.policy import Policy
from modelserve.canary.judge.sentences import Chances
from modelserve.canary.judge.verdicts import Finding, Judgement, Verdict


def judge(looks: Sequence[Look], policy: Policy) -> Judgement:
    """Judge a canary by everything that was seen of it.

    Args:
        looks: since it began, in the order of time.
        policy: what is asked.
    """
    if len(looks) < 2:
        return Judgement.of([Finding("traffic", Verdict.INCONCLUSIVE, "traffic: nothing was measured yet")])
    try:
        found = paired(increments(looks, policy.warm_up), [look.at_seconds for look in looks])
    except UnusableMeasurements as error:
        return Judgement.of([Finding("measurements", Verdict.ERROR, f"measurements: {error}")])
    return Judgement.of([_check_traffic(found, policy), *_findings(found, looks[-1], policy)])


def _findings(found: Increments, last: Look, policy: Policy) -> Iterable[Finding]:
    alphas = policy.alphas()
    for check in weigh_checks(found, policy):
        yield check.tell(check.weighed, Chances(alphas[check.name], policy.pass_error))
    if policy.shadow is not None:
        yield check_shadow(last.shadow, policy.shadow, alpha=alphas["shadow"], pass_error=policy.pass_error)
    if policy.drift:
        yield check_drift(last.drift)


def _check_traffic(found: Increments, policy: Policy) -> Finding:
    canary, stable = (int(requests.sum()) for requests in found.requests)
    if canary < policy.least_requests:
        sentence = f"traffic: {canary:,} requests to the warm canary; {policy.least_requests:,} are asked"
        return Finding("traffic", Verdict.INCONCLUSIVE, sentence)
    if not stable:
        sentence = (
            f"traffic: {canary:,} requests to the canary, and none to the stable revision to compare with"
        )
        return Finding("traffic", Verdict.ERROR, sentence)
    return Finding("traffic", Verdict.PASS, f"traffic: {canary:,} requests against {stable:,}")
