"""Components beside each other: what one says, another does not undo."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelserve.canary.rollout.routes import expect_even, read_split

Object = dict[str, Any]
WithComponents = Callable[..., list[Object]]
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "inferenceservices" / "components"
COMPONENTS = sorted(p.parent.name for p in FOLDER.glob("*/kustomization.yaml"))
GPUS = {
    "gpu": "nvidia.com/gpu",
    "gpu-time-sliced": "nvidia.com/gpu.shared",
    "gpu-mig": "nvidia.com/mig-1g.10gb",
}
# One of each set is chosen, or the later one is meant to win; their READMEs say so.
EXCLUSIVE = [
    {*GPUS, "gpu-dra"},
    {"hpa", "keda", "canary"},
    {"istio-weighted", "istio-mirrored"},
    {"request-logging", "request-logging-direct"},
    *({"numa-aligned", gpu} for gpu in (*GPUS, "gpu-dra")),
]


def _writes(name: str) -> Iterator[tuple[str, str, object]]:
    """What a component's patches write: kind, path and value."""
    kustomization = yaml.safe_load((FOLDER / name / "kustomization.yaml").read_text())
    for entry in kustomization.get("patches", []):
        text = entry["patch"] if "patch" in entry else (FOLDER / name / entry["path"]).read_text()
        for operation in yaml.safe_load(text):
            if not operation["path"].endswith("/-"):
                yield entry["target"]["kind"], operation["path"], operation.get("value")
    for other in kustomization.get("components", []):
        yield from _writes(Path(other).name)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(COMPONENTS, 2)))
def test_no_component_undoes_another(one: str, other: str) -> None:
    if any({one, other} <= both for both in EXCLUSIVE):
        return
    for (kind, path, value), (kind2, path2, value2) in itertools.product(_writes(one), _writes(other)):
        inside = (path + "/").startswith(path2 + "/") or (path2 + "/").startswith(path + "/")
        assert kind != kind2 or not inside or value == value2, f"both write {path} of {kind}"


def _of_kind(objects: list[Object], kind: str) -> list[Object]:
    found = [o for o in objects if o["kind"] == kind]
    assert found
    return found


@pytest.mark.parametrize("order", [("gpu", "spot"), ("spot", "gpu")])
def test_tolerations_add_up(order: tuple[str, str], with_components: WithComponents) -> None:
    for runtime in _of_kind(with_components(*order), "ServingRuntime"):
        tolerations = {t["key"]: t for t in runtime["spec"]["tolerations"]}
        assert set(tolerations) == {"nvidia.com/gpu", "spot"}
        for t in tolerations.values():
            assert (t["operator"], t["effect"]) == ("Exists", "NoSchedule")


@pytest.mark.parametrize(("component", "resource"), GPUS.items())
def test_a_predictor_has_one_device(component: str, resource: str, with_components: WithComponents) -> None:
    for runtime in _of_kind(with_components(component, "sr-iov"), "ServingRuntime"):
        (container,) = runtime["spec"]["containers"]
        limits = container["resources"]["limits"]
        assert {k: v for k, v in limits.items() if k.startswith("nvidia.com/")} == {resource: "1"}
        assert limits["intel.com/sriov_netdevice"] == "1"
        assert container["image"].endswith("-gpu")


def test_a_claim_reaches_the_pod(with_components: WithComponents) -> None:
    """Knative drops claims, so the component is of use in Standard mode only."""
    objects = with_components("hpa", "gpu-dra")
    (template,) = _of_kind(objects, "ResourceClaimTemplate")
    (request,) = template["spec"]["spec"]["devices"]["requests"]
    (device_class,) = _of_kind(objects, "DeviceClass")
    assert request["exactly"]["deviceClassName"] == device_class["metadata"]["name"]
    for service in _of_kind(objects, "InferenceService"):
        assert service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
        (claim,) = service["spec"]["predictor"]["resourceClaims"]
        assert claim["resourceClaimTemplateName"] == template["metadata"]["name"]
        for runtime in _of_kind(objects, "ServingRuntime"):
            resources = runtime["spec"]["containers"][0]["resources"]
            assert resources["claims"] == [{"name": claim["name"]}]
            assert not [k for k in resources["limits"] if k.startswith("nvidia.com/")]


def test_numa_alignment_makes_every_container_guaranteed(with_components: WithComponents) -> None:
    objects = with_components("gpu", "storage-initializer", "numa-aligned")
    containers = [c for o in _of_kind(objects, "ServingRuntime") for c in o["spec"]["containers"]]
    for c in containers:
        assert c["resources"]["limits"]["cpu"].isdigit()
    containers += [o["spec"]["container"] for o in _of_kind(objects, "ClusterStorageContainer")]
    for c in containers:
        for resource in ("cpu", "memory"):
            assert c["resources"]["requests"][resource] == c["resources"]["limits"][resource], c["name"]
    for service in _of_kind(objects, "InferenceService"):
        annotations = service["metadata"]["annotations"]
        for resource in ("cpu", "memory"):
            proxy = f"queue.sidecar.serving.knative.dev/{resource}-resource-"
            assert annotations[f"{proxy}request"] == annotations[f"{proxy}limit"]
        # Resources here would be laid over the runtime's.
        assert "resources" not in service["spec"]["predictor"]["model"]


@pytest.mark.parametrize("mode", ["hpa", "keda"])
def test_standard_mode_takes_the_share_away(mode: str, with_components: WithComponents) -> None:
    for objects in (with_components(mode), with_components("canary", mode), with_components(mode, "gpu")):
        for service in _of_kind(objects, "InferenceService"):
            predictor = service["spec"]["predictor"]
            assert "canaryTrafficPercent" not in predictor
            assert service["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == mode
            # What KServe's webhook admits for each.
            if mode == "hpa":
                assert (predictor["scaleMetric"], predictor["scaleTarget"]) == ("cpu", 70)
            else:
                assert not {"scaleMetric", "scaleTarget"} & set(predictor)
                external = predictor["autoScaling"]["metrics"][0]["external"]
                assert f'model="{service["metadata"]["name"]}"' in external["metric"]["query"]


def test_components_leave_annotations_that_are_there(with_components: WithComponents) -> None:
    for service in _of_kind(
        with_components("hpa", "numa-aligned", "istio", "gateway-api"), "InferenceService"
    ):
        assert service["metadata"]["annotations"]["serving.kserve.io/enable-tag-routing"] == "true"
        labels = service["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "modelserve"
        assert labels["sidecar.istio.io/inject"] == "true"
        assert labels["networking.kserve.io/visibility"] == "cluster-local"


def test_the_judge_may_only_patch(with_components: WithComponents) -> None:
    objects = with_components("rbac")
    (role,) = (o for o in _of_kind(objects, "Role") if o["metadata"]["name"] == "canary-judge")
    writing = [r for r in role["rules"] if set(r["verbs"]) - {"get", "list", "watch"}]
    assert [rule["resources"] for rule in writing] == [["inferenceservices"], ["virtualservices"]]
    names = {o["metadata"]["name"] for o in _of_kind(objects, "InferenceService")}
    for rule in writing:
        assert rule["verbs"] == ["patch"]
        assert set(rule["resourceNames"]) == names
    policies = {o["metadata"]["name"]: o for o in _of_kind(objects, "ValidatingAdmissionPolicy")}
    bounded = {p["spec"]["matchConstraints"]["resourceRules"][0]["resources"][0] for p in policies.values()}
    assert bounded == {rule["resources"][0] for rule in writing}, "RBAC alone would let it write any field"
    for binding in _of_kind(objects, "ValidatingAdmissionPolicyBinding"):
        assert binding["spec"]["policyName"] in policies
        assert binding["spec"]["validationActions"] == ["Deny"]


def test_weighted_predictors_are_told_apart(with_components: WithComponents) -> None:
    objects = with_components("hpa", "candidate", "istio-weighted")
    for runtime in _of_kind(objects, "ServingRuntime"):
        for container in runtime["spec"]["containers"]:
            assert container["env"][-1] == {"name": "K_REVISION", "value": "$(INFERENCE_SERVICE)-predictor"}
    services = {o["metadata"]["name"] for o in _of_kind(objects, "InferenceService")}
    for virtual in _of_kind(objects, "VirtualService"):
        split = read_split(virtual)
        expect_even(virtual, split)
        assert {split.stable, split.candidate} <= {f"{name}-predictor" for name in services}
        assert split.stable in virtual["spec"]["hosts"]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("drift-detector", "drift_detector/manifests/deployment"),
        ("drift-detector", "drift_detector/manifests/knative"),
        ("shadow", "shadow/manifests/deployment"),
    ],
)
def test_policies_choose_pods_by_labels_that_they_have(
    name: str, folder: str, with_components: WithComponents, build_folder: Callable[[Path], list[Object]]
) -> None:
    policies = _of_kind(with_components("network-policies"), "NetworkPolicy")
    assert any(name in json.dumps(policy["spec"]["podSelector"]) for policy in policies)
    (pods,) = (
        one["spec"]["template"]["metadata"]["labels"]
        for one in build_folder(ROOT / "observability" / folder)
        if "template" in one.get("spec", {})
    )
    assert pods["app.kubernetes.io/name"] == name
    assert pods["app.kubernetes.io/part-of"] == "modelserve"


def test_everything_is_denied_that_no_policy_allows(with_components: WithComponents) -> None:
    policies = {
        p["metadata"]["name"]: p["spec"]
        for p in _of_kind(with_components("network-policies"), "NetworkPolicy")
    }
    assert policies.pop("default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, spec in policies.items():
        (direction,) = spec["policyTypes"]
        for rule in spec[direction.lower()]:
            # A rule without peers or without ports would open the namespace to all, or to every port.
            assert rule["from" if direction == "Ingress" else "to"], name
            assert rule["ports"], name
