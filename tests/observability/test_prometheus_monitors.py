"""Monitors choose the pods that the manifests make, once each, and the operator takes them."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

Object = dict[str, Any]
Build = Callable[[Path], list[Object]]
ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "observability"
DEFINITIONS = ROOT / ".tools" / "prometheus-operator"
WORKLOADS = [
    OBSERVABILITY / "drift_detector" / "manifests" / "deployment",
    OBSERVABILITY / "shadow" / "manifests" / "deployment",
    ROOT / "inferenceservices" / "canary-controller",
    ROOT / "inferenceservices" / "pipelines" / "overlays" / "examples",
]


@pytest.fixture(scope="module")
def monitors(build_folder: Build) -> dict[str, Object]:
    built = build_folder(OBSERVABILITY / "prometheus")
    return {one["metadata"]["name"]: one for one in built if one["kind"].endswith("Monitor")}


@pytest.fixture(scope="module")
def schemas() -> dict[str, Object]:
    """Of the operator's kinds, closed: a field that it does not know is a mistake."""
    found = {}
    for plural in ("podmonitors", "servicemonitors", "prometheusrules"):
        file = DEFINITIONS / f"monitoring.coreos.com_{plural}.yaml"
        if not file.is_file():
            pytest.fail(f"there is no {file}: scripts/test_programs.sh brings the operator's definitions")
        definition = yaml.safe_load(file.read_text())
        (version,) = [one for one in definition["spec"]["versions"] if one["storage"]]
        found[definition["spec"]["names"]["kind"]] = closed(version["schema"]["openAPIV3Schema"])
    return found


def closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema["properties"].keys() - {"metadata", "status"}:
        inner.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        inner.pop("type", None)
    return inner


def chosen(selector: Object, labels: Mapping[str, str]) -> bool:
    """What Kubernetes makes of a selector."""
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    for one in selector.get("matchExpressions", []):
        is_there = one["key"] in labels
        holds = {
            "Exists": is_there,
            "DoesNotExist": not is_there,
            "In": labels.get(one["key"]) in one.get("values", []),
        }
        if not holds[one["operator"]]:
            return False
    return True


def endpoints(monitor: Object) -> list[Object]:
    found: list[Object] = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
    return found


def ports_of(pod: Object) -> dict[str, int]:
    return {
        port["name"]: port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
    }


def scrapes(monitor: Object, pod: Object, services: list[Object]) -> Iterator[int]:
    """Ports of a pod that a monitor scrapes by their names."""
    labels, ports = pod["metadata"]["labels"], ports_of(pod)
    if monitor["kind"] == "PodMonitor":
        if chosen(monitor["spec"]["selector"], labels):
            yield from (ports[one["port"]] for one in endpoints(monitor) if one.get("port") in ports)
        return
    for service in services:
        leads_there = service["spec"]["selector"].items() <= labels.items()
        if leads_there and chosen(monitor["spec"]["selector"], service["metadata"].get("labels", {})):
            named = {port["name"]: port["targetPort"] for port in service["spec"]["ports"]}
            yield from (ports[named[one["port"]]] for one in endpoints(monitor) if one["port"] in named)


def test_the_operator_takes_them(
    monitors: dict[str, Object], schemas: dict[str, Object], tmp_path: Path
) -> None:
    assert len(monitors) >= 10
    for monitor in monitors.values():
        jsonschema_rs.validate(schemas[monitor["kind"]], monitor)
    typo = json.loads(json.dumps(monitors["modelserve-servers"]))
    typo["spec"]["podMetricsEndpoints"][0]["relabelings"][0]["sourceLabel"] = []
    assert not jsonschema_rs.is_valid(schemas["PodMonitor"], typo)


def test_the_operator_takes_the_rules_as_the_script_wraps_them(schemas: dict[str, Object]) -> None:
    script = ROOT / "scripts" / "setup_monitoring.sh"
    done = subprocess.run(
        [script, "install", "--dry-run"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    text = "\n".join("---" if line.startswith("+ ") else line for line in done.stdout.splitlines())
    objects = [one for one in yaml.safe_load_all(text) if one]
    wrapped = {o["metadata"]["name"]: o for o in objects if o["kind"] == "PrometheusRule"}
    files = sorted((OBSERVABILITY / "prometheus" / "rules").glob("*.yaml"))
    assert sorted(wrapped) == [f"modelserve-{file.stem}" for file in files]
    for file in files:
        rule = wrapped[f"modelserve-{file.stem}"]
        jsonschema_rs.validate(schemas["PrometheusRule"], rule)
        assert rule["spec"] == yaml.safe_load(file.read_text())


def test_every_pod_that_has_metrics_is_scraped_once(monitors: dict[str, Object], build_folder: Build) -> None:
    seen = set()
    for folder in WORKLOADS:
        objects = build_folder(folder)
        services = [one for one in objects if one["kind"] == "Service"]
        for workload in objects:
            if workload["kind"] != "Deployment":
                continue
            pod = workload["spec"]["template"]
            announced = pod["metadata"]["annotations"]["prometheus.io/port"]
            found = [
                (name, port) for name, monitor in monitors.items() for port in scrapes(monitor, pod, services)
            ]
            ((name, port),) = found
            assert str(port) == announced, workload["metadata"]["name"]
            seen.add(name)
    assert seen == {
        "modelserve-drift-detector",
        "modelserve-shadow",
        "modelserve-canary-controller",
        "modelserve-pipeline-server",
        "modelserve-pipeline-workers",
    }


def test_a_detector_that_is_a_knative_service_is_scraped_by_its_pod(
    monitors: dict[str, Object], build_folder: Build
) -> None:
    (service,) = [
        one
        for one in build_folder(OBSERVABILITY / "drift_detector" / "manifests" / "knative")
        if one["kind"] == "Service"
    ]
    labels = {**service["spec"]["template"]["metadata"]["labels"], "serving.knative.dev/revision": "a"}
    found = [name for name, one in monitors.items() if chosen(one["spec"]["selector"], labels)]
    # Its proxy counts too.
    assert sorted(set(found) - {"modelserve-drift-detector", "modelserve-pipeline-server"}) == [
        "modelserve-drift-detector-knative",
        "modelserve-queue-proxies",
    ]


@pytest.mark.parametrize("folder", ["overlays/prod", "scenarios/standard-hpa-transformer", "knative/local"])
def test_servers_have_the_label_that_they_are_chosen_by(
    folder: str, monitors: dict[str, Object], build_folder: Build
) -> None:
    """KServe gives pods the labels of their InferenceService, Knative those of a Service's template."""
    selector = monitors["modelserve-servers"]["spec"]["selector"]
    objects = build_folder(ROOT / "inferenceservices" / folder)
    found = 0
    for one in objects:
        if one["kind"] == "InferenceService":
            labels = one["metadata"]["labels"]
        elif one["apiVersion"].startswith("serving.knative.dev"):
            labels = one["spec"]["template"]["metadata"]["labels"]
        else:
            continue
        found += 1
        assert chosen(selector, labels), one["metadata"]["name"]
    assert found == 2


def test_the_network_policy_lets_prometheus_in(monitors: dict[str, Object], build_folder: Build) -> None:
    (policy,) = [
        one
        for one in build_folder(ROOT / "inferenceservices" / "overlays" / "prod")
        if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "from-monitoring"
    ]
    (rule,) = policy["spec"]["ingress"]
    allowed = {port["port"] for port in rule["ports"]}
    for folder, monitor in itertools.product(WORKLOADS, monitors.values()):
        objects = build_folder(folder)
        services = [one for one in objects if one["kind"] == "Service"]
        for workload in (one for one in objects if one["kind"] == "Deployment"):
            assert set(scrapes(monitor, workload["spec"]["template"], services)) <= allowed
    rewritten = {
        int(one["replacement"].partition(":")[2])
        for one in endpoints(monitors["modelserve-servers"])[0]["relabelings"]
        if one["targetLabel" if "targetLabel" in one else "action"] == "__address__"
    }
    # In a mesh the sidecars answer, on Istio's own port.
    assert rewritten == {8080, 8082, 15020}
    # Knative's proxy tells on 9091 (knative.dev/serving v0.48.2, pkg/networking/constants.go).
    assert rewritten | {9091} <= allowed
    assert rule["from"][0]["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": monitors["modelserve-servers"]["metadata"]["namespace"]
    }
