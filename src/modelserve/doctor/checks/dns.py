"""Whether pods get answers from the cluster's DNS."""

from __future__ import annotations

from collections.abc import Iterator

from modelserve.doctor.checks.platform import has_endpoints
from modelserve.doctor.facts import Facts
from modelserve.doctor.findings import Code, Finding

NAMESPACE, SERVICE, LABEL = "kube-system", "kube-dns", "k8s-app=kube-dns"


def check(facts: Facts) -> Iterator[Finding]:
    """Whether anybody is behind the Service that pods ask. A DNS of another name is not judged."""
    if facts.find("services", NAMESPACE, SERVICE) is None or has_endpoints(facts, NAMESPACE, SERVICE):
        return
    if not facts.was_read("endpointslices.discovery.k8s.io", NAMESPACE):
        return
    scaled = [
        one["metadata"]["name"]
        for one in facts.of("deployments.apps", NAMESPACE)
        if one["spec"].get("replicas") == 0
        and one["spec"]["selector"].get("matchLabels", {}).get("k8s-app") == "kube-dns"
    ]
    why = f" (its Deployment {scaled[0]} is scaled to 0)" if scaled else ""
    yield Finding(
        Code.DNS_DOWN,
        f"Service {NAMESPACE}/{SERVICE}",
        f"No pod of CoreDNS is ready{why}, so pods find neither their model's store nor each other by name.",
        f"Start CoreDNS (kubectl get pods -n {NAMESPACE} -l {LABEL}), and mend what keeps it from running.",
    )
