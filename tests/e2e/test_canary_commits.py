"""Git alone brings models, Flux syncs every ten seconds, and the canary controller judges each of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

MODEL = "bert-ner"


@pytest.fixture(scope="module")
def commit(flux: Any, faulty_predictor: Callable[[], dict[str, Any]]) -> Callable[..., str]:
    """Commits a version of a model, with a fault where one is named."""

    def commit(version: str, *, fault: str = "") -> str:
        overlay = faulty_predictor()
        env = [{"name": "FAULT", "value": fault}, {"name": "VERSION", "value": version}]
        operation = {"op": "add", "path": "/spec/predictor/containers/0/env", "value": env}
        overlay["patches"].append(
            {"patch": yaml.safe_dump([operation]), "target": {"kind": "InferenceService", "name": MODEL}}
        )
        return str(flux.commit(overlay, f"Serve version {version}"))

    return commit


@pytest.fixture(scope="module")
def model(
    commit: Callable[..., str], namespace: Any, controllers: Any, callers_of: Any, wait_for: Any
) -> Any:
    """The first version, that nothing is judged against, and a policy."""
    commit("1")
    wait_for(lambda: MODEL in namespace.kubectl("get", "inferenceservice", "--output=name"), seconds=120)
    found = callers_of(namespace.predictor_url(MODEL))
    controllers.obey()
    controllers.wait_ready()
    return found


def test_a_good_one_is_promoted_though_controllers_die_at_each_step(
    commit: Callable[..., str], model: Any, controllers: Any, flux: Any, namespace: Any, wait_for: Any
) -> None:
    last, (old, _) = controllers.last(), model.revisions()
    with model.callers() as answers:
        newest = commit("2")
        new = controllers.wait("Starting", after=last)["canaryRevision"]
        controllers.kill_leader()
        # It is ready long before another controller leads, and Flux has brought all it has.
        namespace.wait_ready("revision", new)
        wait_for(lambda: flux.applied() == newest, seconds=60)
        assert {revision for revision, _ in answers} == {old}
        for percent in (30, 60):
            controllers.wait("Watching", after=last, percent=percent)
            controllers.kill_leader()
        canary = controllers.wait("Promoted", after=last)
        time.sleep(5)
        promoted = len(answers)
        time.sleep(20)
    assert (canary["canaryRevision"], canary["verdict"]) == (new, "pass")
    assert {code for _, code in answers} == {200}
    assert {revision for revision, _ in answers[promoted:]} == {new}
    assert model.revisions() == (new, new)
    assert flux.ready()["status"] == "True"


def test_what_comes_while_no_controller_is_there_waits_for_one(
    commit: Callable[..., str], model: Any, controllers: Any, flux: Any, namespace: Any, wait_for: Any
) -> None:
    last, before = controllers.last(), model.revisions()
    namespace.kubectl("scale", "deployment/canary-controller", "--replicas=0")
    namespace.kubectl("wait", "pod", "--selector=app=canary-controller", "--for=delete", "--timeout=60s")
    with model.callers() as answers:
        newest = commit("3")
        wait_for(lambda: "has calls when CanaryPolicy" in flux.ready().get("message", ""), seconds=60)
        assert model.revisions() == before
        assert {revision for revision, _ in answers} == {before[0]}
        namespace.kubectl("scale", "deployment/canary-controller", "--replicas=2")
        canary = controllers.wait("Promoted", after=last)
        wait_for(lambda: flux.applied() == newest, seconds=60)
    assert canary["stableRevision"] == before[0]
    assert model.revisions() == (canary["canaryRevision"],) * 2
    assert {code for _, code in answers} == {200}


def test_a_bad_one_goes_back_and_no_sync_brings_it_again(
    commit: Callable[..., str], model: Any, controllers: Any, flux: Any, wait_for: Any
) -> None:
    last, (old, _) = controllers.last(), model.revisions()
    with model.callers() as answers:
        newest = commit("4", fault="errors")
        canary = controllers.wait("RolledBack", after=last)
        wait_for(lambda: flux.applied() == newest, seconds=60)
        back = len(answers)
        time.sleep(30)
    assert "errors: " in canary["reason"]
    assert set(answers[back:]) == {(old, 200)}
    assert model.revisions() == (old, canary["canaryRevision"])
