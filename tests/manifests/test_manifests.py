"""What holds for every manifest that can be built from inferenceservices/.

Field names are checked by a real API server, in tests/e2e/test_dry_run.py: it has the schemas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

Object = dict[str, Any]
Build = Callable[[Path], list[Object]]
SHELF = Path(__file__).parents[2] / "inferenceservices"
COMPONENTS = sorted(p.parent.name for p in SHELF.glob("components/*/kustomization.yaml"))
DEPLOYED = sorted(
    str(p.parent.relative_to(SHELF))
    for pattern in ("overlays/*", "scenarios/*", "knative/local")
    for p in SHELF.glob(f"{pattern}/kustomization.yaml")
)
DETECTOR = [f"../observability/drift_detector/manifests/{name}" for name in ("deployment", "knative")]
SHADOW = "../observability/shadow/manifests/deployment"
PIPELINES = "pipelines/overlays/examples"
TARGETS = [*DEPLOYED, *(f"components/{name}" for name in COMPONENTS), *DETECTOR, SHADOW, PIPELINES]
# The cluster's own. Of these kustomize knows Namespace only: it gives the others a namespace, which the
# API server drops.
CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterStorageContainer",
    "DeviceClass",
    "Namespace",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


@pytest.fixture(params=TARGETS)
def objects(
    request: pytest.FixtureRequest, build_folder: Build, with_components: Callable[..., list[Object]]
) -> list[Object]:
    """The objects of one overlay or scenario, or of the base with one component."""
    shelf, _, name = str(request.param).partition("/")
    return with_components(name) if shelf == "components" else build_folder(SHELF / str(request.param))


def _containers(value: object) -> Iterator[Object]:
    """Every container in an object, whatever the field that holds it."""
    if isinstance(value, list):
        for item in value:
            yield from _containers(item)
    elif isinstance(value, dict):
        if "image" in value and "name" in value:
            yield value
        for key, item in value.items():
            if key == "containers" and isinstance(item, list):
                # A Knative Service's container needs no name.
                yield from ({"name": "", **c} for c in item)
            else:
                yield from _containers(item)


def _of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    return {o["metadata"]["name"]: o for o in objects if o["kind"] == kind}


def test_there_is_something_to_test() -> None:
    assert {"overlays/dev", "overlays/staging", "overlays/prod"} <= set(DEPLOYED)
    assert len([t for t in DEPLOYED if t.startswith("scenarios/")]) >= 8
    assert {"gpu", "keda", "istio", "rbac", "canary"} <= set(COMPONENTS)


def test_objects_have_names_and_one_namespace(objects: list[Object]) -> None:
    assert objects
    namespaces = set()
    for o in objects:
        assert o.get("apiVersion"), o
        assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", o["metadata"]["name"]), o["metadata"]
        if o["kind"] not in CLUSTER_SCOPED:
            namespaces.add(o["metadata"].get("namespace", ""))
    assert len(namespaces) == 1
    assert set(_of_kind(objects, "Namespace")) <= namespaces


def test_containers_have_no_rights(objects: list[Object]) -> None:
    containers = list(_containers(objects))
    assert containers
    for c in containers:
        context = c["securityContext"]
        assert context["runAsNonRoot"] is True, c["name"]
        assert context["runAsUser"] > 0, c["name"]
        assert context["readOnlyRootFilesystem"] is True, c["name"]
        assert context["allowPrivilegeEscalation"] is False, c["name"]
        assert context["capabilities"] == {"drop": ["ALL"]}, c["name"]
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, c["name"]


def test_containers_have_requests_and_limits(objects: list[Object]) -> None:
    for c in _containers(objects):
        assert {"cpu", "memory"} <= set(c["resources"]["requests"]), c["name"]
        assert {"cpu", "memory"} <= set(c["resources"]["limits"]), c["name"]


def test_no_image_is_latest(objects: list[Object]) -> None:
    assert not [c["image"] for c in _containers(objects) if c["image"].endswith(":latest")]


@pytest.mark.parametrize("target", DEPLOYED)
def test_deployed_images_have_a_version(target: str, build_folder: Build) -> None:
    for c in _containers(build_folder(SHELF / target)):
        assert re.search(r"(:[\w.-]+|@sha256:[0-9a-f]{64})$", c["image"]), c["image"]


def test_what_an_object_names_is_there(objects: list[Object]) -> None:
    accounts = {*_of_kind(objects, "ServiceAccount"), "default"}
    stores = set(_of_kind(objects, "ClusterStorageContainer"))
    services = _of_kind(objects, "InferenceService")
    runtimes = [
        (f["name"], protocol)
        for runtime in _of_kind(objects, "ServingRuntime").values()
        for f in runtime["spec"]["supportedModelFormats"]
        for protocol in runtime["spec"]["protocolVersions"]
    ]
    for service in services.values():
        predictor = service["spec"]["predictor"]
        assert predictor["serviceAccountName"] in accounts
        assert {predictor.get("storageContainerName")} <= {*stores, None}
        if model := predictor.get("model"):
            # Two runtimes for one format and protocol: KServe would take the one that is newer.
            assert runtimes.count((model["modelFormat"]["name"], model["protocolVersion"])) == 1
    roles = set(_of_kind(objects, "Role"))
    for binding in _of_kind(objects, "RoleBinding").values():
        assert binding["roleRef"]["name"] in roles
        for subject in binding["subjects"]:
            if subject["kind"] == "ServiceAccount":
                assert subject["name"] in accounts
                assert subject["namespace"] == binding["metadata"]["namespace"]
    for rule in _of_kind(objects, "DestinationRule").values():
        assert rule["spec"]["host"].removesuffix("-predictor") in services
    for ingress in _of_kind(objects, "Ingress").values():
        for path in ingress["spec"]["rules"][0]["http"]["paths"]:
            assert path["backend"]["service"]["name"].removesuffix("-predictor") in services


@pytest.mark.parametrize("target", [t for t in DEPLOYED if t.startswith("scenarios/")])
def test_calls_are_sent_to_services_that_are_there(target: str, build_folder: Build) -> None:
    objects = build_folder(SHELF / target)
    hosts = {f"{name}-predictor" for name in _of_kind(objects, "InferenceService")}
    for virtual in _of_kind(objects, "VirtualService").values():
        for route in virtual["spec"]["http"]:
            targets = [r["destination"]["host"] for r in route["route"]]
            assert {*targets, *([route["mirror"]["host"]] if "mirror" in route else [])} <= hosts
            assert len(targets) == 1 or sum(r["weight"] for r in route["route"]) == 100
    for kind in ("HTTPRoute", "GRPCRoute"):
        for routes in _of_kind(objects, kind).values():
            for rule in routes["spec"]["rules"]:
                assert {b["name"] for b in rule["backendRefs"]} <= hosts | set(_of_kind(objects, "Service"))


def test_no_route_has_the_name_of_one_of_another_kind(objects: list[Object]) -> None:
    """Istio loses one of the two."""
    assert not set(_of_kind(objects, "HTTPRoute")) & set(_of_kind(objects, "GRPCRoute"))


def test_the_share_of_a_canary_is_in_standard_mode_nowhere(objects: list[Object]) -> None:
    """KServe ignores it there without a word (kserve#5335)."""
    for service in _of_kind(objects, "InferenceService").values():
        if service["metadata"].get("annotations", {}).get("serving.kserve.io/deploymentMode") == "Standard":
            assert "canaryTrafficPercent" not in service["spec"]["predictor"]


def test_git_never_carries_the_share_of_a_canary(build_folder: Build) -> None:
    for target in DEPLOYED:
        if target != "scenarios/prod-canary-by-hand":
            for o in build_folder(SHELF / target):
                assert "canaryTrafficPercent" not in str(o.get("spec", {}).get("predictor")), target
    for file in SHELF.glob("overlays/**/*.yaml"):
        assert "canaryTrafficPercent" not in file.read_text(), file


def test_a_canary_by_hand_touches_only_what_changes(build_folder: Build) -> None:
    """On a service that does not change, a percentage is a rollback."""
    before = _of_kind(build_folder(SHELF / "overlays/prod"), "InferenceService")
    after = _of_kind(build_folder(SHELF / "scenarios/prod-canary-by-hand"), "InferenceService")
    for name, service in after.items():
        predictor = dict(service["spec"]["predictor"])
        share = predictor.pop("canaryTrafficPercent", None)
        assert (share is not None) == (predictor != before[name]["spec"]["predictor"]), name


@pytest.mark.parametrize(
    "file", sorted(SHELF.glob("overlays/*/kustomization.yaml")), ids=lambda p: p.parent.name
)
def test_overlays_are_short(file: Path) -> None:
    assert len([line for line in file.read_text().splitlines() if not line.startswith("#")]) <= 15


@pytest.mark.parametrize("name", COMPONENTS)
def test_components_say_what_they_do(name: str) -> None:
    text = (SHELF / "components" / name / "README.md").read_text()
    assert text.startswith(f"# {name}\n\n")
    for heading in ("**Needs**", "**Check**", "**Costs**"):
        assert text.count(heading) == 1, heading
    assert f"`{name}`" in (SHELF / "components" / "README.md").read_text()


@pytest.mark.parametrize(
    "file", sorted(SHELF.rglob("kustomization.yaml")), ids=lambda p: str(p.parent.relative_to(SHELF))
)
def test_patches_are_json_patches(file: Path) -> None:
    """A strategic merge patch replaces lists of custom resources, and drops what it does not name."""
    kustomization = yaml.safe_load(file.read_text())
    assert not {"patchesStrategicMerge", "bases", "commonLabels", "vars"} & set(kustomization)
    for entry in kustomization.get("patches", []):
        text = entry["patch"] if "patch" in entry else (file.parent / entry["path"]).read_text()
        operations = yaml.safe_load(text)
        assert isinstance(operations, list), text
        assert {o["op"] for o in operations} <= {"add", "remove", "replace", "move"}
        assert entry["target"]["kind"]


def test_links_in_documents_lead_somewhere() -> None:
    for file in SHELF.rglob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", file.read_text()):
            assert (file.parent / link).exists(), f"{file}: {link}"


def test_argo_cd_leaves_the_share_alone() -> None:
    spec = yaml.safe_load((SHELF / "gitops/argocd/application.yaml").read_text())["spec"]
    (ignored,) = spec["ignoreDifferences"]
    assert ignored["jsonPointers"] == ["/spec/predictor/canaryTrafficPercent"]
    assert {"RespectIgnoreDifferences=true", "ServerSideApply=true"} <= set(spec["syncPolicy"]["syncOptions"])
    assert (SHELF.parent / spec["source"]["path"] / "kustomization.yaml").is_file()


def test_flux_builds_a_folder_that_is_there(build_folder: Build) -> None:
    objects = build_folder(SHELF / "gitops/flux")
    spec = _of_kind(objects, "Kustomization")["modelserve"]["spec"]
    assert spec["sourceRef"]["name"] in _of_kind(objects, "GitRepository")
    assert (SHELF.parent / spec["path"] / "kustomization.yaml").is_file()


@pytest.mark.parametrize("component", ["gateway-api", "nginx-ingress"])
def test_routes_from_outside_let_in_what_clients_call(
    component: str, with_components: Callable[..., list[Object]]
) -> None:
    objects = with_components("hpa", component)
    routed = {
        **{name: _paths_of_route(one) for name, one in _of_kind(objects, "HTTPRoute").items()},
        **{name: _paths_of_ingress(one) for name, one in _of_kind(objects, "Ingress").items()},
    }
    assert set(routed) == {"bert-ner", "resnet-classifier"}
    for name, paths in routed.items():
        model = f"/v2/models/{name}"
        inside = ["/", "/metrics", "/docs", "/v2/repository/index", f"/v2/repository/models/{name}/unload"]
        outside = ["/v2", "/v2/health/ready", model, f"{model}/infer", f"/v1/models/{name}:predict"]
        assert [path for path in (*inside, *outside) if _is_routed(path, paths)] == outside


def _paths_of_route(route: Object) -> list[tuple[str, str]]:
    matches = [match["path"] for rule in route["spec"]["rules"] for match in rule["matches"]]
    return [(match["type"].removeprefix("Path"), match["value"]) for match in matches]


def _paths_of_ingress(ingress: Object) -> list[tuple[str, str]]:
    paths = [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    return [(path["pathType"], path["path"]) for path in paths]


def _is_routed(path: str, matches: list[tuple[str, str]]) -> bool:
    """As both standards have it: a prefix is of whole elements."""
    return any(
        path == value or (kind == "Prefix" and path.startswith(f"{value.rstrip('/')}/"))
        for kind, value in matches
    )
