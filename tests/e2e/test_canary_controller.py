"""The canary controller on a cluster: models with faults, changes of mind, and what is away for a while."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from confinement import assert_confined

MODEL = "bert-ner"


@pytest.fixture(scope="module")
def obeyed(controllers: Any, faulty_model: Any) -> Any:
    """Controllers that look after the model."""
    controllers.obey()
    controllers.wait_ready()
    return controllers


@pytest.fixture(scope="module")
def bring(faulty_model: Any) -> Callable[..., None]:
    """A new model, by somebody who knows of no canaries."""
    return lambda fault="": faulty_model.bring(fault, manager="kubectl")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("errors", "errors: "),
        ("slow", "latency p50: "),
        ("labels", "label PER: "),
        ("crash", "the canary does not start: "),
        ("unready", "the canary was not ready in 20 s"),
    ],
)
def test_a_bad_one_goes_back_by_itself(
    fault: str, reason: str, obeyed: Any, bring: Callable[..., None], faulty_model: Any
) -> None:
    obeyed.obey(readySeconds=20 if fault == "unready" else 240)
    last, (old, _) = obeyed.last(), faulty_model.revisions()
    with faulty_model.callers() as answers:
        time.sleep(5)
        bring(fault)
        began = time.monotonic()
        canary = obeyed.wait("RolledBack", after=last)
        seconds = time.monotonic() - began
        time.sleep(3)
        after = len(answers)
        time.sleep(3)
    assert reason in canary["reason"]
    assert faulty_model.revisions() == (old, canary["canaryRevision"])
    assert {revision for revision, code in answers[after:]} == {old}
    assert {code for revision, code in answers if revision == old} == {200}
    print(f"{fault}: rolled back {seconds:.0f} s after it came; {canary['reason']}")


def test_the_controller_runs_without_privileges(obeyed: Any, namespace: Any) -> None:
    assert_confined(namespace, "canary-controller")


def test_what_is_away_for_a_while_moves_nothing_and_stops_nothing(
    obeyed: Any, bring: Callable[..., None], faulty_model: Any, prometheus: Any
) -> None:
    if "API_SERVER_PID" not in os.environ:
        pytest.skip("API_SERVER_PID names no API server that may be stopped")
    obeyed.obey()
    last, (old, _) = obeyed.last(), faulty_model.revisions()
    with faulty_model.callers() as answers:
        bring()
        canary = obeyed.wait("Watching", after=last, percent=30)
        with prometheus.away():
            obeyed.wait_for(lambda: obeyed.status["canary"].get("verdict") == "error", seconds=40)
            time.sleep(60)
            assert (obeyed.status["canary"]["step"], obeyed.status["canary"]["percent"]) == (0, 30)
        obeyed.wait("Watching", after=last, percent=60)
        api_server = int(os.environ["API_SERVER_PID"])
        os.kill(api_server, signal.SIGSTOP)
        try:
            time.sleep(20)
        finally:
            os.kill(api_server, signal.SIGCONT)
        obeyed.wait("Promoted", after=last)
    assert {code for _, code in answers} == {200}
    assert faulty_model.revisions() == (canary["canaryRevision"],) * 2
    assert canary["stableRevision"] == old


def test_one_that_nobody_calls_is_not_promoted(
    obeyed: Any, bring: Callable[..., None], faulty_model: Any
) -> None:
    obeyed.obey(steps=[{"percent": 30, "leastSeconds": 5, "mostSeconds": 30}])
    last, (old, _) = obeyed.last(), faulty_model.revisions()
    bring()
    canary = obeyed.wait("RolledBack", after=last)
    assert "no verdict in 30 s: traffic: 0 requests" in canary["reason"]
    assert faulty_model.revisions() == (old, canary["canaryRevision"])


def test_the_newest_of_many_is_the_one_that_is_judged(
    obeyed: Any, bring: Callable[..., None], faulty_model: Any
) -> None:
    obeyed.obey()
    last, (old, _) = obeyed.last(), faulty_model.revisions()
    with faulty_model.callers() as answers:
        bring("slow")
        given_up = obeyed.wait("Watching", after=last)["canaryRevision"]
        bring("errors")
        bring()
        canary = obeyed.wait("Promoted", after=given_up)
        time.sleep(3)
    assert faulty_model.revisions() == (canary["canaryRevision"],) * 2
    assert canary["stableRevision"] == old
    assert {revision for revision, _ in answers} <= {old, given_up, canary["canaryRevision"]}
    assert {code for _, code in answers} == {200}


def test_without_its_policy_a_share_stays_where_it_is(
    obeyed: Any, bring: Callable[..., None], faulty_model: Any, namespace: Any
) -> None:
    obeyed.obey()
    last, (old, _) = obeyed.last(), faulty_model.revisions()
    with faulty_model.callers():
        bring("errors")
        obeyed.wait("Watching", after=last, percent=30)
        namespace.kubectl("delete", "canarypolicy", MODEL)
        time.sleep(10)
        assert namespace.get("inferenceservice", MODEL)["spec"]["predictor"]["canaryTrafficPercent"] == 30
        obeyed.obey()
        canary = obeyed.wait("RolledBack", after=last)
    assert faulty_model.revisions() == (old, canary["canaryRevision"])


@pytest.mark.parametrize(
    ("kind", "name", "change", "refusal"),
    [
        ("inferenceservice", MODEL, {"spec": {"predictor": {"canaryTrafficPercent": 7}}}, ""),
        ("inferenceservice", MODEL, {"spec": {"predictor": {"maxReplicas": 9}}}, "and nothing else"),
        ("inferenceservice", MODEL, {"metadata": {"labels": {"poke": "1"}}}, "may change no label"),
        ("ksvc", f"{MODEL}-predictor", {"spec": {"traffic": [{"percent": 100}]}}, ""),
        ("ksvc", f"{MODEL}-predictor", {"spec": {"template": {"spec": {}}, "traffic": []}}, ""),
        (
            "ksvc",
            f"{MODEL}-predictor",
            {"spec": {"template": {"spec": {"timeoutSeconds": 7}}}},
            "and nothing else",
        ),
        ("ksvc", f"{MODEL}-predictor", {"metadata": {"annotations": {"poke": "1"}}}, "may change no label"),
    ],
)
def test_its_account_moves_traffic_and_changes_nothing_else(
    kind: str, name: str, change: dict[str, Any], refusal: str, obeyed: Any, namespace: Any
) -> None:
    account = f"system:serviceaccount:{namespace.name}:canary-controller"
    command = ["kubectl", "--namespace", namespace.name, "patch", kind, name, f"--as={account}"]
    command += ["--type=merge", f"--patch={json.dumps(change)}", "--dry-run=server"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode == 0) == (not refusal), done.stderr
    assert refusal in done.stderr


def test_a_policy_with_a_mistake_lets_no_model_have_calls(
    obeyed: Any, bring: Callable[..., None], faulty_model: Any, namespace: Any
) -> None:
    obeyed.obey(checks={"errors": {"tolerated": 0.5, "limit": 0.1}})
    obeyed.wait_for(lambda: obeyed.condition("Ready").get("reason") == "InvalidSpec", seconds=30)
    last, (old, before) = obeyed.last(), faulty_model.revisions()
    with faulty_model.callers() as answers:
        bring()
        obeyed.wait_for(lambda: faulty_model.revisions()[1] != before, seconds=60)
        new = faulty_model.revisions()[1]
        namespace.wait_ready("revision", new)
        time.sleep(5)
        assert set(answers) == {(old, 200)}
        obeyed.obey()
        assert obeyed.wait("Watching", after=last, percent=30)["canaryRevision"] == new
    namespace.kubectl("delete", "inferenceservice", MODEL)
    assert "bert-ner" in obeyed.wait("Superseded", after=last)["reason"]
