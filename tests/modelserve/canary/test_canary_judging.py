"""The judge, from counters to reasons."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from modelserve.canary.judge.acting import Action, act
from modelserve.canary.judge.judging import judge
from modelserve.canary.judge.measurements import Counters, DriftAlarms, Look, ShadowCounts
from modelserve.canary.judge.policy import OnInconclusive, Policy, ShareLimits, SlowdownLimits
from modelserve.canary.judge.verdicts import Judgement, Verdict

Watch = Callable[..., list[Look]]


def verdicts(judgement: Judgement) -> dict[str, Verdict]:
    return {found.check: found.verdict for found in judgement.findings}


def reason(judgement: Judgement, check: str) -> str:
    return next(found.reason for found in judgement.findings if found.check == check)


def test_an_equal_canary_passes_once_enough_is_known(watch: Watch) -> None:
    looks = watch(looks=300)
    assert judge(looks[:20], Policy()).verdict is Verdict.INCONCLUSIVE
    judgement = judge(looks, Policy())
    assert judgement.verdict is Verdict.PASS, judgement.reasons
    assert set(verdicts(judgement)) == {
        "traffic",
        "errors",
        "latency_p50",
        "latency_p95",
        "latency_p99",
        "labels",
        "confidence",
    }


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        ({"error_share": 0.06}, "errors", r"^errors: \d+ of [\d,]+ against \d+ of [\d,]+; at least [\d.]+ "),
        ({"median_seconds": 0.12}, "latency_p50", "at least [0-9]+% slower with confidence"),
        ({"spread": 1.1}, "latency_p95", "longer than 0.25 s took"),
        ({"label_shares": (0.0, 0.34, 0.33, 0.33)}, "labels", "^label label0: 0 of .* fewer with"),
        ({"label_shares": (0.46, 0.18, 0.18, 0.18)}, "labels", "^label label0: .* more with"),
        ({"least_score": 0.0}, "confidence", "^scores above 0.7: .* fewer with"),
    ],
)
def test_a_canary_that_is_worse_fails_by_the_check_that_is_for_it(
    watch: Watch, behaviour: Any, change: dict[str, Any], check: str, words: str
) -> None:
    judgement = judge(watch(behaviour(**change), looks=200), Policy())
    assert judgement.verdict is Verdict.FAIL
    assert verdicts(judgement)[check] is Verdict.FAIL
    assert re.search(words, reason(judgement, check)), reason(judgement, check)


def test_proven_harm_stays_proven(watch: Watch, behaviour: Any) -> None:
    """A canary that was bad and got well is not promoted: somebody has to look."""
    looks = watch(behaviour(error_share=0.3), looks=40)
    last = looks[-1]
    well = [
        Look(
            last.at_seconds + 10 * index,
            {"c": replace(last.canary["c"], requests=last.canary["c"].requests + 50 * index)},
            {"s": replace(last.stable["s"], requests=last.stable["s"].requests + 50 * index)},
        )
        for index in range(1, 400)
    ]
    policy = Policy(latency=(), labels=None, confidence=None)
    assert judge(looks, policy).verdict is Verdict.FAIL
    assert judge([*looks, *well], policy).verdict is Verdict.FAIL


def test_an_incident_of_both_revisions_fails_no_canary(watch: Watch, behaviour: Any) -> None:
    incident = behaviour(error_share=0.5, median_seconds=0.6)
    judgement = judge(watch(incident, incident, looks=200), Policy())
    assert verdicts(judgement)["errors"] is not Verdict.FAIL
    assert judgement.verdict is not Verdict.FAIL


def test_without_errors_on_either_side_many_calls_are_a_pass(watch: Watch, behaviour: Any) -> None:
    none = behaviour(error_share=0.0)
    policy = Policy(latency=(), labels=None, confidence=None)
    assert judge(watch(none, none, looks=12), policy).verdict is Verdict.INCONCLUSIVE
    assert judge(watch(none, none, looks=200), policy).verdict is Verdict.PASS


@pytest.mark.parametrize("looks", [0, 1, 2, 60])
def test_no_traffic_is_no_verdict_however_long_it_lasts(watch: Watch, looks: int) -> None:
    quiet = watch(looks=max(looks, 1), canary_calls=0)[:looks]
    judgement = judge(quiet, Policy())
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert any("requests" in text or "nothing was measured" in text for text in judgement.reasons)


def test_a_canary_without_a_stable_revision_beside_it_is_an_error(watch: Watch) -> None:
    judgement = judge(watch(looks=60, stable_calls=0), Policy())
    assert judgement.verdict is Verdict.ERROR
    assert "none to the stable revision" in judgement.reasons[0]


def test_what_is_asked_and_not_measured_is_inconclusive(watch: Watch) -> None:
    bare = [
        Look(
            look.at_seconds,
            {"c": Counters(look.canary["c"].requests, look.canary["c"].errors)},
            {"s": Counters(look.stable["s"].requests, look.stable["s"].errors)},
        )
        for look in watch(looks=300)
    ]
    found = verdicts(judge(bare, Policy()))
    assert found["errors"] is Verdict.PASS
    for check in ("latency_p95", "labels", "confidence"):
        assert found[check] is Verdict.INCONCLUSIVE


def test_measurements_that_contradict_each_other_are_an_error(watch: Watch) -> None:
    looks = watch(looks=30)
    broken = replace(looks[20], canary={"c": replace(looks[20].canary["c"], errors=float("nan"))})
    judgement = judge([*looks[:20], broken], Policy())
    assert judgement.verdict is Verdict.ERROR
    assert "count of nan errors" in judgement.reasons[0]


@pytest.mark.parametrize(
    ("alarms", "expected"),
    [
        (None, Verdict.INCONCLUSIVE),
        (DriftAlarms(None, False), Verdict.INCONCLUSIVE),
        (DriftAlarms(True, None), Verdict.INCONCLUSIVE),
        (DriftAlarms(False, None), Verdict.PASS),
        (DriftAlarms(True, True), Verdict.PASS),
        (DriftAlarms(True, False), Verdict.FAIL),
    ],
)
def test_drift_of_the_canary_alone_fails_it(
    watch: Watch, alarms: DriftAlarms | None, expected: Verdict
) -> None:
    looks = watch(looks=5)
    policy = Policy(errors=None, latency=(), labels=None, confidence=None, drift=True)
    judgement = judge([*looks[:-1], replace(looks[-1], drift=alarms)], policy)
    assert verdicts(judgement)["drift"] is expected


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (None, Verdict.INCONCLUSIVE),
        (ShadowCounts(0, 0), Verdict.INCONCLUSIVE),
        (ShadowCounts(50, 1), Verdict.INCONCLUSIVE),
        (ShadowCounts(5000, 10), Verdict.PASS),
        (ShadowCounts(2000, 100), Verdict.FAIL),
        (ShadowCounts(10, 11), Verdict.ERROR),
    ],
)
def test_a_shadow_that_disagrees_fails_the_canary(
    watch: Watch, counts: ShadowCounts | None, expected: Verdict
) -> None:
    looks = watch(looks=5)
    policy = Policy(errors=None, latency=(), labels=None, confidence=None, shadow=ShareLimits(0.01, 0.03))
    judgement = judge([*looks[:-1], replace(looks[-1], shadow=counts)], policy)
    assert verdicts(judgement)["shadow"] is expected


def test_the_parts_of_alpha_are_all_of_it() -> None:
    policy = Policy(shadow=ShareLimits(0.01, 0.03))
    alphas = policy.alphas()
    assert sum(alphas.values()) == pytest.approx(policy.alpha)
    assert set(alphas) == {
        "errors",
        "latency_p50",
        "latency_p95",
        "latency_p99",
        "labels",
        "confidence",
        "shadow",
    }
    assert Policy(errors=None, latency=(), labels=None, confidence=None).alphas() == {}


@pytest.mark.parametrize(
    "make",
    [
        lambda: ShareLimits(0.02, 0.01),
        lambda: ShareLimits(-0.01, 0.01),
        lambda: SlowdownLimits(1.0, 1.1, 1.2),
        lambda: SlowdownLimits(0.5, 0.9, 1.2),
        lambda: Policy(alpha=0.0),
        lambda: Policy(pass_error=1.0),
    ],
)
def test_limits_that_make_no_sense_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        make()


@pytest.mark.parametrize(
    ("verdict", "policy", "before", "after"),
    [
        (Verdict.FAIL, OnInconclusive.PROMOTE, Action.ROLL_BACK, Action.ROLL_BACK),
        (Verdict.PASS, OnInconclusive.ROLL_BACK, Action.ADVANCE, Action.ADVANCE),
        (Verdict.INCONCLUSIVE, OnInconclusive.ROLL_BACK, Action.HOLD, Action.ROLL_BACK),
        (Verdict.INCONCLUSIVE, OnInconclusive.HOLD, Action.HOLD, Action.HOLD),
        (Verdict.INCONCLUSIVE, OnInconclusive.PROMOTE, Action.HOLD, Action.ADVANCE),
        (Verdict.ERROR, OnInconclusive.ROLL_BACK, Action.HOLD, Action.ROLL_BACK),
        (Verdict.ERROR, OnInconclusive.PROMOTE, Action.HOLD, Action.HOLD),
    ],
)
def test_without_a_verdict_the_policy_says_at_the_deadline(
    verdict: Verdict, policy: OnInconclusive, before: Action, after: Action
) -> None:
    assert act(verdict, policy, is_past_deadline=False) is before
    assert act(verdict, policy, is_past_deadline=True) is after
