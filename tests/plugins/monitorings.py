"""What is in ``observability/prometheus`` on a cluster, with a Prometheus operator and a Prometheus there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from detectors import forwarded
from prometheuses import PrometheusClient

ROOT = Path(__file__).parents[2]
_MANIFESTS = ROOT / "tests" / "e2e" / "monitoring" / "manifests.yaml"
_VALUES = ROOT / "observability" / "prometheus" / "values.yaml"
_OF_THE_CLUSTER = (
    "clusterrolebinding/e2e-monitoring-operator",
    "clusterrolebinding/e2e-monitoring-prometheus",
    "clusterrole/e2e-monitoring-prometheus",
)


@pytest.fixture(scope="module")
def monitoring(namespace: Any, wait_for: Callable[..., Any]) -> Iterator[PrometheusClient]:
    """The Prometheus of the namespace, which has found its rules."""
    if not namespace.kubectl("get", "crd", "prometheuses.monitoring.coreos.com", "--ignore-not-found"):
        pytest.skip("the cluster has not the definitions of the Prometheus operator")
    image = os.environ.get("MONITORING_IMAGE")
    if image is None:
        pytest.skip("MONITORING_IMAGE names no image of what watches a cluster")
    try:
        manifests = _MANIFESTS.read_text("utf-8")
        manifests = manifests.replace("NAMESPACE", namespace.name).replace("IMAGE", image)
        namespace.kubectl("apply", "--filename=-", stdin=manifests)
        namespace.kubectl("apply", "--filename=-", stdin=json.dumps(_prometheus(image)))
        namespace.kubectl("apply", "--server-side", "--filename=-", stdin=_installed(namespace.name))
        # As observability/README.md has it: without, Knative tells nothing.
        _tell("prometheus")
        for name in ("deployment/operator", "deployment/kube-state-metrics"):
            namespace.kubectl("rollout", "status", name, "--timeout=180s")
        name = "statefulset/prometheus-monitoring"
        wait_for(lambda: namespace.kubectl("get", name, "--ignore-not-found"), seconds=120)
        namespace.kubectl("rollout", "status", name, "--timeout=180s")
        with forwarded(namespace.name, "prometheus", 9090) as url:
            found = PrometheusClient(url)
            with found.client:
                wait_for(lambda: _has_rules(found), seconds=120)
                yield found
    finally:
        _tell(None)
        namespace.kubectl("delete", "prometheus,podmonitor,servicemonitor,prometheusrule", "--all")
        namespace.kubectl("delete", *_OF_THE_CLUSTER, check=False)


def _has_rules(prometheus: PrometheusClient) -> bool:
    try:
        return bool(prometheus.ask("rules")["groups"])
    except (httpx.HTTPError, ValueError):
        # It is at the end of its start.
        return False


def _tell(protocol: str | None) -> None:
    """Have Knative tell by a protocol, or as it does where nothing is said."""
    data = {"metrics-protocol": protocol, "request-metrics-protocol": protocol}
    parts = [f"deployment/{name}" for name in ("activator", "autoscaler", "controller")]
    for command in (
        ("patch", "configmap", "config-observability", f"--patch={json.dumps({'data': data})}"),
        ("rollout", "restart", *parts),
        *(("rollout", "status", part, "--timeout=120s") for part in parts),
    ):
        asked = ["kubectl", "--namespace=knative-serving", *command]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _prometheus(image: str) -> dict[str, Any]:
    """As the chart makes one of our values, but for replicas, sizes, storage and where programs come from."""
    values = yaml.safe_load(_VALUES.read_text("utf-8"))["prometheus"]
    names = ("retention", "scrapeInterval", "evaluationInterval", "enableFeatures", "exemplars")
    given = {name: values["prometheusSpec"][name] for name in names}
    selectors: dict[str, Any] = {}
    for kind in ("podMonitor", "serviceMonitor", "rule"):
        assert values["prometheusSpec"][f"{kind}SelectorNilUsesHelmValues"] is False
        selectors |= {f"{kind}Selector": {}, f"{kind}NamespaceSelector": {}}
    user = {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532, "runAsNonRoot": True}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": "monitoring"},
        "spec": {
            **given,
            **selectors,
            "serviceAccountName": values["serviceAccount"]["name"],
            "portName": "http-web",
            "image": image,
            "version": "v3.16.0",
            "securityContext": user,
        },
    }


def _installed(namespace: str) -> str:
    """Monitors and rules as ``setup_monitoring.sh install`` applies them, in another namespace."""
    command = [str(ROOT / "scripts" / "setup_monitoring.sh"), "install", "--dry-run"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # The last thing that it does.
    _, _, manifests = said.rpartition("\n+ kubectl apply ")[2].partition("\n")
    found = [one for one in yaml.safe_load_all(manifests) if one]
    assert {one["kind"] for one in found} == {"Service", "PodMonitor", "ServiceMonitor", "PrometheusRule"}
    for one in found:
        one["metadata"]["namespace"] = namespace
    return yaml.safe_dump_all(found)
