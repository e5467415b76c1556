"""Whether KServe, Knative and the gateway are there and run."""

from __future__ import annotations

from collections.abc import Iterator

from modelserve.doctor.checks.pods import trouble
from modelserve.doctor.checks.refusals import quoted
from modelserve.doctor.components import KNATIVE_MODES, SERVICES
from modelserve.doctor.facts import Facts, Object, condition
from modelserve.doctor.findings import Code, Finding

WEBHOOKS = (
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
)
_ENDPOINTS = "endpointslices.discovery.k8s.io"
KNATIVE_SERVICES = "services.serving.knative.dev"
HOOKS = {"kserve": "inferenceservice.serving.kserve.io", "knative-serving": "webhook.serving.knative.dev"}
"""A webhook configuration of each, which tells where it is installed, by its usual namespace."""
GATEWAYS = ("kourier-system", "istio-system", "envoy-gateway-system")

_TASKS = {
    "kserve-controller-manager": "nothing is made of new or changed InferenceServices",
    "controller": "Knative makes no revisions",
    "webhook": "Knative takes no changes of its Services",
    "activator": "services without replicas are not woken",
    "autoscaler": "Knative does not scale",
    "net-kourier-controller": "new addresses do not reach the gateway",
    "3scale-kourier-gateway": "no call reaches a service",
    "istiod": "new addresses do not reach the gateway",
    "istio-ingressgateway": "no call reaches a service",
}


def check(facts: Facts) -> Iterator[Finding]:
    """What is missing of the platform, or does not run."""
    if SERVICES in facts.absent:
        yield Finding(
            Code.KSERVE_MISSING,
            "the cluster",
            "KServe is not installed: the cluster knows no InferenceService.",
            "Install KServe 0.20 (its CRDs and its controller), then apply the InferenceServices.",
        )
        return
    kserve, knative = home(facts, "kserve"), home(facts, "knative-serving")
    gone = {place for place in (kserve, knative) if _is_empty(facts, place)}
    if kserve in gone:
        yield Finding(
            Code.KSERVE_MISSING,
            f"Namespace {kserve}",
            "KServe's definitions are in the cluster, but no controller: the namespace has no Deployment.",
            "Install KServe 0.20 again, or another way: its definitions alone do nothing.",
        )
    if (knative in gone or KNATIVE_SERVICES in facts.absent) and _wants_knative(facts):
        yield Finding(
            Code.KNATIVE_MISSING,
            "the cluster",
            "Knative Serving is not installed, and InferenceServices in Knative mode need it.",
            "Install Knative Serving with a networking layer such as Kourier, or deploy in Standard mode "
            "(annotation serving.kserve.io/deploymentMode: Standard).",
        )
    down = list(_down(facts))
    yield from down
    stopped = {one.about.removeprefix("Deployment ").partition("/")[0] for one in down}
    yield from _unserved(facts, stopped | gone)


def _is_empty(facts: Facts, namespace: str) -> bool:
    """Whether nothing is deployed in a namespace, as far as that may be read."""
    resource = "deployments.apps"
    return facts.was_read(resource, namespace) and not facts.of(resource, namespace)


def home(facts: Facts, usual: str) -> str:
    """The namespace of KServe or Knative: that of its webhook, else the usual one."""
    for resource in WEBHOOKS:
        if found := facts.find(resource, "", HOOKS[usual]):
            for hook in found.get("webhooks", []):
                if service := hook["clientConfig"].get("service"):
                    return str(service["namespace"])
    return usual


def places(facts: Facts) -> list[str]:
    """Namespaces of what every service needs: KServe's, Knative's and the gateways'."""
    return [*dict.fromkeys((home(facts, "kserve"), home(facts, "knative-serving"), *GATEWAYS))]


def _wants_knative(facts: Facts) -> bool:
    modes = [
        (one.get("status") or {}).get("deploymentMode")
        or one["metadata"].get("annotations", {}).get("serving.kserve.io/deploymentMode")
        for one in facts.all(SERVICES)
    ]
    return any(mode in KNATIVE_MODES for mode in modes)


def _down(facts: Facts) -> Iterator[Finding]:
    """Controllers and gateways of which no pod is ready."""
    for namespace in places(facts):
        for deployment in facts.of("deployments.apps", namespace):
            if deployment.get("status", {}).get("availableReplicas"):
                continue
            name, wanted = deployment["metadata"]["name"], deployment["spec"].get("replicas", 1)
            if not wanted and name not in _TASKS:
                continue  # what is optional may be switched off
            if wanted:
                why = f"has no ready pod{_why(facts, deployment)}"
                mend = f"Look at its pods (kubectl get pods -n {namespace}), and mend what stops them."
            else:
                why = "is scaled to 0"
                mend = f"kubectl scale deployment {name} -n {namespace} --replicas 1"
            task = f", so {_TASKS[name]}" if name in _TASKS else ""
            yield Finding(Code.CONTROLLER_DOWN, f"Deployment {namespace}/{name}", f"It {why}{task}.", mend)


def _why(facts: Facts, deployment: Object) -> str:
    if said := condition(deployment, "ReplicaFailure").get("message"):
        return f" ({quoted(said)})"
    wanted = deployment["spec"]["selector"].get("matchLabels", {})
    for pod in facts.of("pods", deployment["metadata"]["namespace"]):
        labels = pod["metadata"].get("labels", {})
        is_its = wanted and all(labels.get(key) == value for key, value in wanted.items())
        if is_its and (cause := trouble(facts, pod, "")):
            return f" ({cause.wrong})"
    return ""


def _unserved(facts: Facts, stopped: set[str]) -> Iterator[Finding]:
    """Webhooks of KServe and Knative that nobody answers, but of namespaces where a controller is down."""
    asked: dict[tuple[str, str], str] = {}
    homes = {home(facts, "kserve"), home(facts, "knative-serving")}
    for resource in WEBHOOKS:
        for configuration in facts.all(resource):
            name = configuration["metadata"]["name"]
            for hook in configuration.get("webhooks", []):
                to = hook["clientConfig"].get("service")
                if to and hook.get("failurePolicy") != "Ignore":
                    asked.setdefault((to["namespace"], to["name"]), name)
    for (namespace, name), webhook in asked.items():
        if namespace not in homes or namespace in stopped:
            continue
        if not facts.was_read(_ENDPOINTS, namespace) or has_endpoints(facts, namespace, name):
            continue
        yield Finding(
            Code.WEBHOOK_WITHOUT_ENDPOINTS,
            f"Service {namespace}/{name}",
            f"The webhook {webhook} has nobody behind it, so the API server refuses what it has to be "
            "asked about.",
            f"Make the Service {name} and its selector as the installation of {namespace} has them, and "
            "start what it selects.",
        )


def has_endpoints(facts: Facts, namespace: str, service: str) -> bool:
    """Whether anybody ready is behind a Service."""
    return any(
        (endpoint.get("conditions") or {}).get("ready") is not False
        for one in facts.of(_ENDPOINTS, namespace)
        if one["metadata"].get("labels", {}).get("kubernetes.io/service-name") == service
        for endpoint in one.get("endpoints") or []
    )


def is_stopped(findings: list[Finding]) -> bool:
    """Whether what is found explains that a service is not looked after."""
    codes = {Code.KSERVE_MISSING, Code.KNATIVE_MISSING, Code.CONTROLLER_DOWN, Code.WEBHOOK_WITHOUT_ENDPOINTS}
    return any(one.code in codes for one in findings)
