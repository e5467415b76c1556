"""The simulation: that it judges as the judge does, that the others are what they say, and its command."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from modelserve.canary.judge.judging import judge
from modelserve.canary.judge.measurements import Counters, Histogram, Look
from modelserve.canary.judge.policy import Policy, WarmUp
from modelserve.canary.judge.verdicts import Verdict
from modelserve.canary.simulation import flagger, kayenta
from modelserve.canary.simulation.judged import judged
from modelserve.canary.simulation.metrics import by_minute
from modelserve.canary.simulation.outcomes import NEVER, Outcomes, first_look, threshold_for
from modelserve.canary.simulation.traffic import Behaviour, Drawn, Plan, Scenario, Step, draw
from modelserve.cli import main
from modelserve.telemetry.buckets import SCORES, SECONDS

SHORT = Plan(steps=(Step(20, 600), Step(50, 600)))


def looks_of(canary: Drawn, stable: Drawn, run: int) -> list[Look]:
    """A run as counters that were read look by look."""

    def counters(drawn: Drawn, looks: int) -> Counters:
        return Counters(
            int(drawn.requests[run, :looks].sum()),
            int(drawn.errors[run, :looks].sum()),
            Histogram(SECONDS, drawn.seconds[run, :looks].sum(axis=0).tolist()),
            {f"{label:02}": int(count) for label, count in enumerate(drawn.labels[run, :looks].sum(axis=0))},
            Histogram(SCORES, drawn.scores[run, :looks].sum(axis=0).tolist()),
        )

    return [
        Look(10.0 * looks, {"c": counters(canary, looks)}, {"s": counters(stable, looks)})
        for looks in range(canary.requests.shape[1] + 1)
    ]


@pytest.mark.parametrize(
    "change", [{}, {"error_share": 0.05}, {"median_seconds": 0.12}, {"lost_labels": 2}], ids=str
)
def test_runs_are_judged_as_the_judge_judges_them(change: dict[str, float]) -> None:
    policy = Policy(warm_up=WarmUp(0.0, 0))
    scenario = Scenario("", replace(Behaviour(), **change), Behaviour())  # type: ignore[arg-type]
    canary, stable = draw(scenario, SHORT, 3, np.random.default_rng(1))
    found = judged(canary, stable, (), policy)
    for run in range(3):
        verdict = judge(looks_of(canary, stable, run), policy).verdict
        if found.excess[run].max() >= 0:
            assert verdict is Verdict.FAIL
        else:
            assert verdict is (Verdict.PASS if found.safe[run] else Verdict.INCONCLUSIVE)
    assert (found.excess.max(axis=1) >= 0).all() == bool(change)


@pytest.mark.parametrize("unrest", [0.0, 0.6])
def test_equal_canaries_are_rolled_back_in_no_more_than_alpha_of_the_runs(unrest: float) -> None:
    """By all checks and looks together, in a calm service and in one whose rates double and halve."""
    alpha, runs, service = 0.2, 60, Behaviour(labels=3)
    plan = replace(SHORT, unrest=unrest, requests_per_second=5.0)
    canary, stable = draw(Scenario("", service, service), plan, runs, np.random.default_rng(7))
    found = judged(canary, stable, (), Policy(alpha=alpha))
    assert (found.excess.max(axis=1) >= 0).mean() <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def test_what_is_drawn_is_what_was_asked_for() -> None:
    scenario = Scenario("", Behaviour(error_share=0.2, lost_labels=1), Behaviour())
    canary, stable = draw(scenario, SHORT, 50, np.random.default_rng(2))
    assert canary.requests[:, :60].sum() / stable.requests[:, :60].sum() == pytest.approx(0.25, rel=0.02)
    assert canary.requests[:, 60:].sum() / stable.requests[:, 60:].sum() == pytest.approx(1.0, rel=0.02)
    assert canary.errors.sum() / canary.requests.sum() == pytest.approx(0.2, rel=0.02)
    assert not canary.labels[..., 0].any()
    for drawn in (canary, stable):
        for counts in (drawn.seconds, drawn.labels, drawn.scores):
            assert (counts.sum(axis=-1) == drawn.requests).all()


def test_unrest_is_of_both_revisions_at_once() -> None:
    plan = replace(SHORT, unrest=0.5, requests_per_second=200.0)
    scenario = Scenario("", Behaviour(error_share=0.1), Behaviour(error_share=0.1))
    canary, stable = draw(scenario, plan, 20, np.random.default_rng(3))
    one, other = (by_minute(drawn, "errors", 10.0).ravel() for drawn in (canary, stable))
    assert np.corrcoef(one, other)[0, 1] > 0.9


def test_minutes_have_shares_and_quantiles() -> None:
    scenario = Scenario("", Behaviour(error_share=0.2), Behaviour())
    canary, _ = draw(scenario, replace(SHORT, requests_per_second=500), 2, np.random.default_rng(4))
    assert by_minute(canary, "errors", 10.0) == pytest.approx(np.full((2, 20), 0.2), rel=0.1)
    # The p95 of the log-normal distribution, as far as a line within a bucket is right.
    p95 = 0.08 * math.exp(1.645 * 0.6)
    assert by_minute(canary, "latency", 10.0) == pytest.approx(np.full((2, 20), p95), rel=0.15)
    assert by_minute(canary, "labels", 10.0) == pytest.approx(np.full((2, 20), -0.1), rel=0.2)


def test_the_rule_of_fixed_thresholds_waits_for_the_fifth_failed_check() -> None:
    metric = np.array([[1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 6.0, 5.0]])
    assert flagger.statistic(metric)[0].tolist() == [-np.inf] * 4 + [1.0, 2.0, 3.0, 5.0]
    assert first_look(flagger.statistic(metric), 5.0).tolist() == [7]


def test_the_mann_whitney_judge_counts_as_scipy_does() -> None:
    chance = np.random.default_rng(5)
    canary, stable = chance.normal(1.0, 1.0, (4, 20)), chance.normal(0.0, 1.0, (4, 20))
    found = kayenta.statistic(canary, stable)
    assert np.isneginf(found[:, 0]).all()
    for run in range(4):
        shift = np.median(canary[run][:, None] - stable[run][None, :])
        test = mannwhitneyu(
            canary[run],
            stable[run] + shift / 4,
            alternative="greater",
            use_continuity=False,
            method="asymptotic",
        )
        assert math.erfc(found[run, -1] / math.sqrt(2)) / 2 == pytest.approx(test.pvalue, rel=1e-6)


def test_a_threshold_is_reached_by_the_share_that_was_asked_for() -> None:
    statistic = np.random.default_rng(6).normal(size=(1000, 30))
    reached = first_look(statistic, threshold_for(statistic, 0.05))
    assert (reached != NEVER).mean() == pytest.approx(0.05, abs=0.001)


def test_what_was_never_rolled_back_took_forever() -> None:
    outcomes = Outcomes(np.array([1, NEVER]), np.array([[5, 9], [6, 8]]))
    assert outcomes.rolled_back == 0.5
    assert outcomes.requests_until.tolist() == [9.0, math.inf]
    assert outcomes.looks_until.tolist() == [2.0, math.inf]


ARGUMENTS = [
    "canary",
    "simulate",
    "--step",
    "50:600",
    "--error_ratio",
    "10",
    "--slowdown",
    "2",
    "--labels",
    "3",
]


def test_the_command_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "simulation.png"
    status = main([*ARGUMENTS, "--runs", "10", "--peers", "--json", "--plot", str(picture)])
    rows = json.loads(capsys.readouterr().out)
    assert status == 0
    assert picture.stat().st_size > 1000
    own = [row for row in rows if row["judge"] == "modelserve"]
    assert [row["canary"] for row in own] == ["equal", "errors times 10", "p95 times 2", "1 of 3 labels gone"]
    # Where something is wrong, each is also judged with a bound that is set, and by two others.
    assert len(rows) == 1 + 3 * 4
    assert own[0]["rolled_back"] == 0
    assert all(row["rolled_back"] > 0.9 and row["passed"] == 0 for row in own[1:])
    for row in own:
        assert row["rolled_back"] + row["passed"] + row["undecided"] == pytest.approx(1)


@pytest.mark.parametrize("step", ["10", "0:100", "100:100", "10:-5", "a:b", "10:inf"])
def test_a_step_that_is_none_is_refused(step: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["canary", "simulate", "--step", step])
    assert exit_info.value.code == 2
    assert "is no step" in capsys.readouterr().err


def test_one_label_cannot_be_lost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["canary", "simulate", "--labels", "1"]) == 2
    assert "at least 2" in capsys.readouterr().err
