"""What moves a canary's traffic, on a real cluster: shares, promotion, the way back, and what it refuses."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from modelserve.canary.rollout import CannotRollOut, Changed, Rollout
from modelserve.canary.rollout.inference_service import InferenceServiceRollout
from modelserve.canary.rollout.knative_service import KnativeServiceRollout
from modelserve.canary.rollout.objects import Kind, Object, Objects, connect

MODEL = "bert-ner"
PATH = f"/v2/models/{MODEL}/infer"
BODY = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Merkel in Berlin"]}]}
SHARE = "/spec/predictor/canaryTrafficPercent"


def change(namespace: Any, version: str, *operations: dict[str, Any], manager: str = "canary") -> None:
    """A new revision."""
    flag = {"op": "add", "path": "/spec/predictor/containers/0/args/-", "value": f"--model_version={version}"}
    patch = json.dumps([flag, *operations])
    command = ("patch", "inferenceservice", MODEL, "--type=json", f"--patch={patch}")
    namespace.kubectl(*command, f"--field-manager={manager}")


@pytest.fixture
def knative_service(namespace: Any, sample_predictor: Any) -> str:
    """The address of the same as a plain Knative Service."""
    namespace.kubectl("delete", "inferenceservice,ksvc", "--all", "--wait")
    images = sample_predictor(MODEL)["images"]
    gone = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "resnet-classifier"},
    }
    patch = json.dumps({**gone, "$patch": "delete"})
    namespace.apply({"resources": ["knative/local"], "images": images, "patches": [{"patch": patch}]})
    url: str = namespace.wait_ready("ksvc", MODEL)["status"]["url"]
    return url


@pytest.fixture
def rollout(namespace: Any) -> Rollout:
    return InferenceServiceRollout(Objects(connect(), namespace.name), MODEL)


def answering(namespace: Any, url: str, calls: int = 20) -> set[str]:
    found = (namespace.gateway.post(url, PATH, json=BODY) for _ in range(calls))
    return {answer.json()["parameters"]["revision"] for answer in found}


def test_an_inference_service(service: str, namespace: Any, rollout: Rollout, wait_for: Any) -> None:
    with pytest.raises(CannotRollOut, match="has all calls already"):
        rollout.check()
    stable = rollout.state().stable
    change(namespace, "2", {"op": "add", "path": SHARE, "value": 0}, manager="kubectl-patch")
    wait_for(lambda: rollout.state().canary, seconds=60)
    with pytest.raises(CannotRollOut, match="belongs to kubectl-patch; it has to be absent"):
        rollout.check()
    namespace.kubectl(
        *("patch", "inferenceservice", MODEL, "--type=merge", "--field-manager=canary"),
        '--patch={"spec":{"predictor":{"canaryTrafficPercent":1}}}',
    )
    with namespace.load(service, PATH, BODY) as load:
        state = wait_for(lambda: (found := rollout.check()).is_ready and found, seconds=120)
        assert state.stable == stable
        rollout.shift(50, state)
        wait_for(lambda: rollout.state().percent == 50, seconds=30)
        wait_for(lambda: answering(namespace, service) == {stable, state.canary}, seconds=60)
        rollout.shift(0, state)
        wait_for(lambda: answering(namespace, service) == {stable}, seconds=60)
        assert rollout.state().same_as(state)
        rollout.promote(state)
        wait_for(lambda: answering(namespace, service) == {state.canary}, seconds=60)
        wait_for(lambda: rollout.state().canary is None, seconds=60)
        with pytest.raises(Changed, match=r"nothing is rolled out beside"):
            rollout.shift(0, state)
        assert rollout.roll_back() == stable, "after the promotion, too"
        wait_for(lambda: answering(namespace, service) == {stable}, seconds=60)
        back = wait_for(lambda: (found := rollout.state()).stable == stable and found, seconds=60)
        assert (back.canary, back.percent) == (state.canary, 0), "there is nothing to promote by itself"
        assert rollout.roll_back() == stable, "twice is once"
        rollout.promote(back)
        wait_for(lambda: rollout.state().canary is None, seconds=60)
    assert load.failures == {}


def test_the_first_revision_has_nothing_before_it(service: str, rollout: Rollout) -> None:
    with pytest.raises(
        CannotRollOut, match="there is nothing to go back to: no revision of bert-ner had all"
    ):
        rollout.roll_back()


def test_what_was_not_judged_is_not_promoted(
    service: str, namespace: Any, rollout: Rollout, wait_for: Any
) -> None:
    stable = rollout.state().stable
    change(namespace, "2", {"op": "add", "path": SHARE, "value": 10})
    judged = wait_for(lambda: (found := rollout.state()).canary and found.is_ready and found, seconds=120)
    change(namespace, "3")
    with pytest.raises(Changed, match="was changed"):
        rollout.promote(judged)
    with pytest.raises(Changed, match="was changed"):
        rollout.shift(50, judged)
    later = wait_for(lambda: (found := rollout.state()).canary != judged.canary and found, seconds=60)
    assert later.stable == stable
    assert later.fingerprint != judged.fingerprint
    wait_for(lambda: rollout.state().is_ready, seconds=120)
    assert stable in answering(namespace, service)


def test_a_promotion_by_somebody_else_is_not_taken_back(
    service: str, namespace: Any, rollout: Rollout, wait_for: Any
) -> None:
    class Overtaken(Objects):
        """Between a look and a write somebody promotes the canary."""

        def apply(self, kind: Kind, seen: Object, spec: Any) -> None:
            if rollout.state().canary is not None:
                rollout.promote(state)
                wait_for(lambda: rollout.state().canary is None, seconds=60)
            super().apply(kind, seen, spec)

    change(namespace, "2", {"op": "add", "path": SHARE, "value": 10})
    state = wait_for(lambda: (found := rollout.state()).canary and found.is_ready and found, seconds=120)
    with pytest.raises(Changed, match=r"nothing is rolled out beside"):
        InferenceServiceRollout(Overtaken(connect(), namespace.name), MODEL).shift(50, state)
    assert answering(namespace, service) == {state.canary}
    assert "canaryTrafficPercent" not in namespace.get("inferenceservice", MODEL)["spec"]["predictor"]


def test_a_canary_that_never_becomes_ready(
    service: str, namespace: Any, rollout: Rollout, wait_for: Any
) -> None:
    stable = rollout.state().stable
    mistake = {"op": "add", "path": "/spec/predictor/containers/0/args/-", "value": "--nosuch=1"}
    change(namespace, "2", mistake, {"op": "add", "path": SHARE, "value": 10})
    with namespace.load(service, PATH, BODY) as load:
        state = wait_for(lambda: (found := rollout.state()).failure and found, seconds=120)
        assert not state.is_ready
        assert "unrecognized arguments: --nosuch=1" in state.failure
        rollout.shift(0, state)
    assert load.failures == {}
    assert load.revisions.keys() == {stable}


def test_a_knative_service(knative_service: str, namespace: Any, wait_for: Any) -> None:
    rollout = KnativeServiceRollout(Objects(connect(), namespace.name), MODEL)
    stable = rollout.state().stable
    with pytest.raises(CannotRollOut, match=r"a service is accepted whose traffic names a revision"):
        rollout.check()
    with pytest.raises(CannotRollOut, match=r"no revision of bert-ner has the tag `previous`"):
        rollout.roll_back()
    kn = ("kn", "service", "update", MODEL, f"--namespace={namespace.name}")
    subprocess.run([*kn, "--traffic", f"{stable}=100", "--tag", f"{stable}=known"], check=True, timeout=120)
    flags = ("--model_name=bert-ner", "--model_dir=/mnt/models", "--model_version=2")
    subprocess.run([*kn, *(f"--arg={flag}" for flag in flags), "--no-wait"], check=True, timeout=120)
    with namespace.load(knative_service, PATH, BODY) as load:
        state = wait_for(lambda: (found := rollout.state()).canary and found.is_ready and found, seconds=120)
        assert (rollout.check().stable, state.percent) == (stable, 0)
        rollout.shift(50, state)
        wait_for(lambda: answering(namespace, knative_service) == {stable, state.canary}, seconds=60)
        assert rollout.state().percent == 50
        tags = {share.get("tag") for share in namespace.get("ksvc", MODEL)["status"]["traffic"]}
        assert tags == {None, "known", "canary"}, "what others made is left alone"
        rollout.shift(100, state)
        wait_for(lambda: rollout.state().percent == 100, seconds=60)
        assert rollout.state().same_as(state)
        rollout.shift(0, state)
        wait_for(lambda: answering(namespace, knative_service) == {stable}, seconds=60)
        rollout.promote(state)
        wait_for(lambda: answering(namespace, knative_service) == {state.canary}, seconds=60)
        with pytest.raises(Changed, match="nothing is newer"):
            rollout.shift(0, state)
        assert rollout.roll_back() == stable
        wait_for(lambda: answering(namespace, knative_service) == {stable}, seconds=60)
        back = rollout.state()
        assert (back.stable, back.canary, back.percent) == (stable, state.canary, 0)
    assert load.failures == {}
