"""Whether NetworkPolicies keep callers from a service's pods, or the pods from DNS.

The policies are read as Kubernetes defines them. Whether the cluster's network enforces them is not seen from
here: a policy that closes a way is told also where nothing follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from modelserve.doctor.checks import dns
from modelserve.doctor.checks.platform import home
from modelserve.doctor.checks.selectors import selects
from modelserve.doctor.components import Component
from modelserve.doctor.facts import Facts, Object
from modelserve.doctor.findings import Cause, Code

_GATES = {"kourier-system": "3scale-kourier-gateway", "istio-system": "istio-ingressgateway"}
_DNS_PORT = 53
_QUEUE_PORT = 8012


@dataclass(frozen=True, slots=True)
class _Peer:
    """Another end of a connection."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    address: str


@dataclass(frozen=True, slots=True)
class _Way:
    """A connection at a pod's end: ``ingress`` or ``egress``, and the port that is connected to."""

    direction: str
    port: int
    protocol: str


def blocked(facts: Facts, component: Component) -> Iterator[Cause]:
    """Ways that policies close to or from a component's pods."""
    policies = [
        one
        for one in facts.of("networkpolicies.networking.k8s.io", component.namespace)
        if selects(one["spec"].get("podSelector") or {}, labels_of(facts, component))
    ]
    if not policies:
        return
    inward = [one for one in policies if _is_for(one, "Ingress")]
    if component.is_knative and inward:
        port = _port(facts, component)
        way = _Way("ingress", port, "TCP")
        shut = [peer.name for peer in _callers(facts) if not _passes(facts, inward, peer, way)]
        if shut:
            callers = " and ".join(dict.fromkeys(shut))
            yield Cause(
                Code.INGRESS_BLOCKED,
                f"by {_named(inward)} no call from {callers} reaches port {port} of its pods",
                "allow Knative's gateway and activator in a NetworkPolicy, as from-knative of "
                "inferenceservices/components/network-policies does",
            )
    outward = [one for one in policies if _is_for(one, "Egress")]
    resolvers = list(_peers(facts, dns.NAMESPACE, "k8s-app", "kube-dns", "CoreDNS"))
    way = _Way("egress", _DNS_PORT, "UDP")
    if outward and resolvers and not any(_passes(facts, outward, peer, way) for peer in resolvers):
        yield Cause(
            Code.DNS_BLOCKED,
            f"by {_named(outward)} its pods cannot ask DNS: port {_DNS_PORT} of CoreDNS in "
            f"{dns.NAMESPACE} is closed to them",
            f"allow UDP and TCP {_DNS_PORT} to {dns.NAMESPACE} in a NetworkPolicy, as to-dns of "
            "inferenceservices/components/network-policies does",
        )


def labels_of(facts: Facts, component: Component) -> dict[str, str]:
    """Labels of a component's pods, also where there is none now."""
    for pod in component.pods(facts):
        return dict(pod["metadata"].get("labels", {}))
    for deployment in component.deployments(facts):
        return dict(deployment["spec"]["template"]["metadata"].get("labels", {}))
    service = component.service["metadata"]
    named = {"serving.kserve.io/inferenceservice": service["name"], "component": component.kind}
    return {**service.get("labels", {}), **named}


def _callers(facts: Facts) -> Iterator[_Peer]:
    """Who brings calls in Knative mode, as far as they are seen."""
    for namespace, app in _GATES.items():
        yield from _peers(facts, namespace, "app", app, "the gateway")
    yield from _peers(facts, home(facts, "knative-serving"), "app", "activator", "the activator")


def _peers(facts: Facts, namespace: str, key: str, value: str, name: str) -> Iterator[_Peer]:
    for pod in facts.of("pods", namespace):
        labels = pod["metadata"].get("labels", {})
        if labels.get(key) == value:
            yield _Peer(f"{name} ({namespace})", namespace, labels, pod["status"].get("podIP", ""))


def _port(facts: Facts, component: Component) -> int:
    """At which Knative's proxy takes calls."""
    for one in (*component.pods(facts), *(d["spec"]["template"] for d in component.deployments(facts))):
        for container in one["spec"]["containers"]:
            for port in container.get("ports", []):
                if port.get("name") == "queue-port":
                    return int(port["containerPort"])
    return _QUEUE_PORT


def _is_for(policy: Object, direction: str) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return direction in types


def _named(policies: Iterable[Object]) -> str:
    names = sorted(one["metadata"]["name"] for one in policies)
    return f"the NetworkPolicies {', '.join(names)}" if len(names) > 1 else f"the NetworkPolicy {names[0]}"


def _passes(facts: Facts, policies: list[Object], peer: _Peer, way: _Way) -> bool:
    """Whether any of the policies that hold for a pod lets a connection through."""
    side = "from" if way.direction == "ingress" else "to"
    return any(
        _opens(rule.get("ports"), way)
        and (not rule.get(side) or any(_is_peer(facts, one, peer, policy) for one in rule[side]))
        for policy in policies
        for rule in policy["spec"].get(way.direction) or []
    )


def _opens(ports: list[Object] | None, way: _Way) -> bool:
    """Whether a rule is for a port; a port by its name is taken to be the one that is meant."""
    return not ports or any(
        one.get("protocol", "TCP") == way.protocol
        and (not isinstance(first := one.get("port"), int) or first <= way.port <= one.get("endPort", first))
        for one in ports
    )


def _is_peer(facts: Facts, allowed: Object, peer: _Peer, policy: Object) -> bool:
    if block := allowed.get("ipBlock"):
        if not peer.address:
            return False
        address = ip_address(peer.address)
        return address in ip_network(block["cidr"]) and not any(
            address in ip_network(one) for one in block.get("except") or []
        )
    if (wanted := allowed.get("namespaceSelector")) is not None:
        space = facts.find("namespaces", "", peer.namespace)
        labels = (space or {"metadata": {}})["metadata"].get("labels") or {}
        labels = {"kubernetes.io/metadata.name": peer.namespace, **labels}
        if not selects(wanted, labels):
            return False
    elif policy["metadata"]["namespace"] != peer.namespace:
        return False
    return selects(allowed.get("podSelector") or {}, peer.labels)
