"""A canary by the weights of a VirtualService, on a real API server; the test's callers are the mesh."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from modelserve.canary.rollout import CannotRollOut, Changed, NothingNew, Rollout
from modelserve.canary.rollout.objects import Kind, Object, Objects, connect, owners
from modelserve.canary.rollout.virtual_service import KIND, VirtualServiceRollout

COMPONENT = Path(__file__).parents[2] / "inferenceservices" / "components" / "istio-weighted"
STABLE, CANDIDATE = "bert-ner", "bert-ner-candidate"
NAMES = (f"{STABLE}-predictor", f"{CANDIDATE}-predictor")
PATH = "/v2/models/bert-ner/infer"
BODY = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Merkel in Berlin"]}]}


def service(name: str, *flags: str, fault: str | None = None) -> Object:
    """An InferenceService in Standard mode, with what the component gives to its runtime."""
    (patch,) = yaml.safe_load((COMPONENT / "kustomization.yaml").read_text())["patches"]
    (environment,) = yaml.safe_load(patch["patch"])
    container = {
        "name": "kserve-container",
        "image": "dev.local/bert-ner-sample:dev" if fault is None else "dev.local/faulty-ner:dev",
        "args": ["--model_name=bert-ner", "--model_dir=/mnt/models", *flags],
        "env": [*environment["value"], {"name": "FAULT", "value": fault or ""}],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 1},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    }
    modes = {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "none",
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": modes},
        "spec": {"predictor": {"minReplicas": 1, "containers": [container]}},
    }


@pytest.fixture(scope="module", autouse=True)
def services(namespace: Any) -> None:
    """Both, each with its Deployment."""
    if "virtualservices" not in namespace.kubectl("api-resources", "--api-group=networking.istio.io"):
        pytest.skip("the cluster has no definition of VirtualService")
    for name in (STABLE, CANDIDATE):
        namespace.kubectl("apply", "--filename=-", stdin=json.dumps(service(name)))


@pytest.fixture
def rollout(namespace: Any, wait_for: Any) -> Rollout:
    """Of the component's VirtualService, made anew, with both models ready."""
    namespace.kubectl("delete", "virtualservice", "--all", "--wait")
    namespace.kubectl("apply", "--filename=-", stdin=json.dumps(virtual_service()))
    found = VirtualServiceRollout(Objects(connect(), namespace.name), STABLE)
    wait_for(lambda: is_ready(found), seconds=120)
    return found


def modelserve(namespace: Any, action: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of ``modelserve canary`` on the VirtualService."""
    command = [sys.executable, "-m", "modelserve.cli", "canary", action, STABLE, *arguments]
    command += [f"--namespace={namespace.name}", "--kind=virtualservice"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def virtual_service(**metadata: object) -> Object:
    manifests = yaml.safe_load_all((COMPONENT / "virtual-services.yaml").read_text())
    found: Object = next(one for one in manifests if one["metadata"]["name"] == STABLE)
    return {**found, "metadata": {**found["metadata"], **metadata}}


@contextlib.contextmanager
def callers(namespace: Any, *, number: int = 4) -> Iterator[None]:
    """Call while the body runs, and split the calls as the weights say: in a mesh the sidecars do."""
    objects, ended = Objects(connect(), namespace.name), threading.Event()

    def call() -> None:
        with httpx.Client(timeout=60) as client:
            while not ended.is_set():
                (route,) = objects.get(KIND, STABLE)["spec"]["http"]
                percent = route["route"][1]["weight"]
                for _ in range(25):
                    name = CANDIDATE if random.random() * 100 < percent else STABLE
                    client.post(f"{addresses[name]}{PATH}", json=BODY)
                    time.sleep(0.02)

    addresses = {name: address(namespace, name) for name in (STABLE, CANDIDATE)}
    threads = [threading.Thread(target=call) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def address(namespace: Any, name: str) -> str:
    """Of the pod of an InferenceService."""
    selector = f"--selector=serving.kserve.io/inferenceservice={name}"
    (pod,) = (one for one in namespace.list("pods", selector) if "deletionTimestamp" not in one["metadata"])
    return f"http://{pod['status']['podIP']}:8080"


def is_ready(rollout: Rollout) -> bool:
    """Once there are Deployments to ask."""
    try:
        return rollout.check().is_ready
    except CannotRollOut:
        return False


def test_the_weights_are_moved_and_nothing_else(rollout: Rollout, namespace: Any) -> None:
    state = rollout.check()
    assert (state.stable, state.canary, state.percent) == (*NAMES, 10)
    before = namespace.get("virtualservice", STABLE)["spec"]
    rollout.shift(25, state)
    found = Objects(connect(), namespace.name).get(KIND, STABLE)
    (route,) = found["spec"]["http"]
    assert [one.pop("weight") for one in route["route"]] == [75, 25]
    for one in before["http"][0]["route"]:
        del one["weight"]
    assert found["spec"] == before
    assert owners(found, "spec", "http") == {("canary", "Update")}
    assert rollout.state().same_as(state)
    rollout.shift(0, state)
    assert rollout.check().percent == 0


def test_a_promotion_and_the_way_back(rollout: Rollout) -> None:
    state = rollout.check()
    rollout.promote(state)
    promoted = rollout.state()
    assert (promoted.stable, promoted.canary, promoted.is_ready) == (NAMES[1], None, True)
    with pytest.raises(NothingNew, match="go to the candidate, bert-ner-candidate-predictor, already"):
        rollout.check()
    with pytest.raises(Changed, match="nothing is rolled out beside bert-ner-candidate-predictor"):
        rollout.shift(50, state)
    assert rollout.roll_back() == NAMES[0]
    back = rollout.check()
    assert (back.canary, back.percent) == (NAMES[1], 0)
    assert back.same_as(state)


def test_a_change_of_the_routes_meanwhile_is_kept(rollout: Rollout, namespace: Any) -> None:
    class Overtaken(Objects):
        """Somebody else is quicker, once."""

        is_overtaken = False

        def merge(self, kind: Kind, seen: Object, spec: Any) -> None:
            if not self.is_overtaken:
                self.is_overtaken = True
                namespace.patch(
                    "virtualservice",
                    STABLE,
                    {"op": "replace", "path": "/spec/http/0/timeout", "value": "20s"},
                )
            super().merge(kind, seen, spec)

    VirtualServiceRollout(Overtaken(connect(), namespace.name), STABLE).shift(30, rollout.check())
    (route,) = namespace.get("virtualservice", STABLE)["spec"]["http"]
    assert (route["timeout"], [one["weight"] for one in route["route"]]) == ("20s", [70, 30])


def test_another_model_is_not_promoted(rollout: Rollout, namespace: Any, wait_for: Any) -> None:
    judged = rollout.check()
    for name in (CANDIDATE, STABLE):
        changed = service(name, "--model_version=2")
        namespace.kubectl("apply", "--filename=-", stdin=json.dumps(changed))
        with pytest.raises(Changed, match="was changed"):
            rollout.promote(judged)
        with pytest.raises(Changed, match="was changed"):
            rollout.shift(50, judged)
        judged = rollout.state()
        assert judged.percent == 10
    wait_for(lambda: rollout.state().is_ready, seconds=120)


def test_a_candidate_that_never_becomes_ready(rollout: Rollout, namespace: Any, wait_for: Any) -> None:
    mistaken = service(CANDIDATE, "--nosuch=1")
    namespace.kubectl("apply", "--filename=-", stdin=json.dumps(mistaken))
    state = wait_for(lambda: (found := rollout.state()).failure and found, seconds=120)
    assert not state.is_ready
    assert "unrecognized arguments: --nosuch=1" in state.failure
    rollout.shift(0, state)
    namespace.kubectl("apply", "--filename=-", stdin=json.dumps(service(CANDIDATE)))
    # While the pods that crash are replaced they say nothing of the new ones.
    wait_for(lambda: (found := rollout.state()).is_ready and not found.failure, seconds=120)


def test_both_are_told_apart_by_name(rollout: Rollout, namespace: Any) -> None:
    state = rollout.check()
    for name, revision in ((STABLE, state.stable), (CANDIDATE, state.canary)):
        answer = httpx.post(f"{address(namespace, name)}{PATH}", json=BODY, timeout=60)
        assert answer.json()["parameters"]["revision"] == revision
        metrics = httpx.get(f"{address(namespace, name)}/metrics", timeout=60).text
        assert f'revision="{revision}"' in metrics


@pytest.mark.parametrize(
    ("fault", "status", "weights", "reason"), [("", 0, [0, 100], ""), ("errors", 1, [100, 0], "errors: ")]
)
def test_a_candidate_takes_its_course(
    fault: str,
    status: int,
    weights: list[int],
    reason: str,
    rollout: Rollout,
    namespace: Any,
    prometheus: Any,
    quick_policy: dict[str, Any],
    wait_for: Any,
    tmp_path: Path,
) -> None:
    changed = service(CANDIDATE, fault=fault)
    namespace.kubectl("apply", "--filename=-", stdin=json.dumps(changed))
    wait_for(lambda: is_ready(rollout), seconds=120)
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(quick_policy))
    with callers(namespace):
        sources = (f"--prometheus={prometheus.url}", f"--policy={tmp_path}/policy.yaml", "--json")
        done = modelserve(namespace, "run", *sources)
    assert done.returncode == status, done.stderr + done.stdout[-2000:]
    assert reason in json.loads(done.stdout.splitlines()[-1])["reason"]
    (route,) = namespace.get("virtualservice", STABLE)["spec"]["http"]
    assert [one["weight"] for one in route["route"]] == weights


def test_who_else_writes_the_weights_is_refused(rollout: Rollout, namespace: Any) -> None:
    def apply(**metadata: object) -> None:
        manifest = json.dumps(virtual_service(**metadata))
        flags = ("--server-side", "--force-conflicts", "--field-manager=kustomize-controller", "--filename=-")
        namespace.kubectl("apply", *flags, stdin=manifest)

    namespace.kubectl("delete", "virtualservice", STABLE)
    apply()
    with pytest.raises(CannotRollOut, match="are applied by kustomize-controller; one is accepted that is"):
        rollout.check()
    apply(annotations={"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"})
    assert rollout.check().percent == 10
    owner = namespace.get("inferenceservice", STABLE)
    reference = {key: owner[key] for key in ("apiVersion", "kind")}
    reference |= {key: owner["metadata"][key] for key in ("name", "uid")}
    apply(ownerReferences=[reference])
    with pytest.raises(CannotRollOut, match="belongs to InferenceService bert-ner, which writes its weights"):
        rollout.check()


def test_what_is_no_pair_of_predictors_in_standard_mode_is_refused(rollout: Rollout, namespace: Any) -> None:
    def second(host: str) -> None:
        path = "/spec/http/0/route/1/destination/host"
        namespace.patch("virtualservice", STABLE, {"op": "replace", "path": path, "value": host})

    second("bert-ner-candidate-explainer")
    with pytest.raises(
        CannotRollOut, match="bert-ner-candidate-explainer of VirtualService bert-ner is no p"
    ):
        rollout.check()
    second("nosuch-predictor")
    with pytest.raises(CannotRollOut, match=r"there is no InferenceService .*/nosuch"):
        rollout.check()
    stopped = service("knative")
    stopped["metadata"]["annotations"] = {
        "serving.kserve.io/stop": "true",
        "serving.kserve.io/deploymentMode": "Knative",
    }
    namespace.kubectl("apply", "--filename=-", stdin=json.dumps(stopped))
    second("knative-predictor")
    with pytest.raises(CannotRollOut, match="knative is in Knative mode, in which Knative splits the calls"):
        rollout.check()


@pytest.mark.usefixtures("rollout")
def test_the_command_line(namespace: Any) -> None:
    told = modelserve(namespace, "status", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["percent"] == 10
    assert modelserve(namespace, "abort").returncode == 0
    assert json.loads(modelserve(namespace, "status", "--json").stdout)["percent"] == 0
    assert modelserve(namespace, "promote").returncode == 0
    assert modelserve(namespace, "status").returncode == 3
    again = modelserve(namespace, "promote")
    assert (again.returncode, again.stdout) == (2, "")
    assert "go to the candidate, bert-ner-candidate-predictor, already" in again.stderr
