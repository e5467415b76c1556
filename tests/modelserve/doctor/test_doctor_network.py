"""NetworkPolicies, as Kubernetes defines them, for a pod that is ready."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelserve.doctor.diagnosis import diagnose
from modelserve.doctor.facts import Facts

POLICIES = Path(__file__).parents[3] / "inferenceservices" / "components" / "network-policies"
SPACE = "kubernetes.io/metadata.name"
FROM_GATEWAY = {"namespaceSelector": {"matchLabels": {SPACE: "kourier-system"}}}
FROM_ACTIVATOR = {
    "namespaceSelector": {"matchLabels": {SPACE: "knative-serving"}},
    "podSelector": {"matchLabels": {"app": "activator"}},
}
DNS = {
    "namespaceSelector": {"matchExpressions": [{"key": SPACE, "operator": "In", "values": ["kube-system"]}]}
}


@pytest.fixture
def codes_of(captured: Callable[..., Facts]) -> Callable[..., list[str]]:
    """What is found of a ready service whose namespace has these policies' specs."""

    def codes(*specs: dict[str, Any]) -> list[str]:
        def change(content: dict[str, Any]) -> None:
            (revision,) = content["objects"]["revisions.serving.knative.dev"]
            revision["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
            for one in content["objects"]["pods"]:
                if one["metadata"]["namespace"] == "doctor-cap":
                    one["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
            content["objects"]["networkpolicies.networking.k8s.io"] = [
                {"metadata": {"name": f"policy-{place}", "namespace": "doctor-cap"}, "spec": spec}
                for place, spec in enumerate(specs)
            ]

        return [one.code.value for one in diagnose(captured("image", change)).findings]

    return codes


def ingress(*peers: dict[str, Any], selector: dict[str, Any] | None = None, **rule: Any) -> dict[str, Any]:
    return {
        "podSelector": selector or {},
        "policyTypes": ["Ingress"],
        "ingress": [{**({"from": list(peers)} if peers else {}), **rule}],
    }


def egress(*peers: dict[str, Any], **rule: Any) -> dict[str, Any]:
    return {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{**({"to": list(peers)} if peers else {}), **rule}],
    }


@pytest.mark.parametrize(
    "specs",
    [
        [],
        [ingress()],
        [ingress(FROM_GATEWAY, FROM_ACTIVATOR)],
        [ingress(FROM_GATEWAY), ingress(FROM_ACTIVATOR)],
        [ingress({"namespaceSelector": {}})],
        [ingress({"ipBlock": {"cidr": "0.0.0.0/0"}})],
        [ingress(ports=[{"port": 8012}])],
        [ingress(ports=[{"port": 8000, "endPort": 9000}])],
        [ingress(ports=[{"port": "queue-port"}])],
        [{"podSelector": {"matchLabels": {"app": "another"}}, "policyTypes": ["Ingress"]}],
        [
            {
                "podSelector": {
                    "matchExpressions": [{"key": "component", "operator": "NotIn", "values": ["predictor"]}]
                }
            }
        ],
        [{"podSelector": {"matchExpressions": [{"key": "component", "operator": "DoesNotExist"}]}}],
        [egress(DNS, ports=[{"port": 53, "protocol": "UDP"}])],
        [egress({"namespaceSelector": {}})],
        [egress({"ipBlock": {"cidr": "10.0.0.0/8"}}), egress(DNS)],
    ],
)
def test_open_ways(specs: list[dict[str, Any]], codes_of: Callable[..., list[str]]) -> None:
    assert "ingress-blocked" not in codes_of(*specs)
    assert "dns-blocked" not in codes_of(*specs)


@pytest.mark.parametrize(
    "spec",
    [
        {"podSelector": {}},
        {"podSelector": {}, "policyTypes": ["Ingress"]},
        {"podSelector": {"matchExpressions": [{"key": "component", "operator": "Exists"}]}},
        ingress(FROM_GATEWAY),
        ingress(FROM_ACTIVATOR),
        ingress({"podSelector": {}}),
        ingress(FROM_GATEWAY, FROM_ACTIVATOR, ports=[{"port": 8080}]),
        ingress(ports=[{"port": 8012, "protocol": "UDP"}]),
        ingress(ports=[{"port": 8000, "endPort": 8011}]),
        ingress({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["198.18.0.0/16"]}}),
        ingress({"ipBlock": {"cidr": "10.0.0.0/8"}}),
    ],
)
def test_closed_ways_in(spec: dict[str, Any], codes_of: Callable[..., list[str]]) -> None:
    assert codes_of(spec) == ["ingress-blocked"]


@pytest.mark.parametrize(
    "spec",
    [
        {"podSelector": {}, "egress": [], "ingress": [{}]},
        {"podSelector": {}, "policyTypes": ["Egress"]},
        egress({"podSelector": {}}),
        egress(DNS, ports=[{"port": 443}]),
        egress(DNS, ports=[{"port": 53}]),
        egress({"ipBlock": {"cidr": "10.0.0.0/8"}}),
    ],
)
def test_closed_ways_to_dns(spec: dict[str, Any], codes_of: Callable[..., list[str]]) -> None:
    assert codes_of(spec) == ["dns-blocked"]


def test_who_is_kept_out_is_named(captured: Callable[..., Facts]) -> None:
    def change(content: dict[str, Any]) -> None:
        content["objects"]["networkpolicies.networking.k8s.io"] = [
            {"metadata": {"name": "only-gateway", "namespace": "doctor-cap"}, "spec": ingress(FROM_GATEWAY)}
        ]

    found = diagnose(captured("image", change)).findings
    assert [one.code.value for one in found] == ["ingress-blocked", "image-not-pulled"]
    assert "the NetworkPolicy only-gateway no call from the activator (knative-serving)" in found[0].wrong
    assert "the gateway" not in found[0].wrong


def test_a_store_that_is_not_found_follows_from_closed_dns(captured: Callable[..., Facts]) -> None:
    def change(content: dict[str, Any]) -> None:
        content["objects"]["networkpolicies.networking.k8s.io"] = [
            {"metadata": {"name": "closed", "namespace": "doctor-cap"}, "spec": egress({"podSelector": {}})}
        ]

    assert [one.code.value for one in diagnose(captured("host", change)).findings] == ["dns-blocked"]


def test_our_own_policies_close_nothing(codes_of: Callable[..., list[str]]) -> None:
    specs = [
        one["spec"]
        for name in ("default-deny", "ingress", "egress")
        for one in yaml.safe_load_all((POLICIES / f"{name}.yaml").read_text())
    ]
    # The captured service is none of ours by its labels.
    for spec in specs:
        labels = spec["podSelector"].get("matchLabels", {})
        labels.pop("app.kubernetes.io/part-of", None)
    assert codes_of(*specs) == []
