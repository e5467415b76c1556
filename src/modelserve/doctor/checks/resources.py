"""Why no node takes a pod."""

from __future__ import annotations

import re
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from modelserve.doctor.checks.refusals import quoted
from modelserve.doctor.facts import Facts, Object
from modelserve.doctor.findings import Cause, Code

_REASON = re.compile(r"(?:^|[,:] )(\d+) ((?:Insufficient|Too many|node\(s\)) ?.*?)(?=, \d+ |\. |\.?$)")

_GIB = 2**30


def unschedulable(facts: Facts, message: str, pod: Object | None) -> Cause:
    """What the scheduler's sentence means.

    Args:
        facts: with the nodes, where they may be read.
        message: as of the condition ``PodScheduled``.
        pod: that it is about; None where it is gone.
    """
    if found := re.search(r'persistentvolumeclaim "([^"]+)" not found', message):
        return missing_claim(found[1])
    if "unbound immediate PersistentVolumeClaims" in message or "didn't find available persistent" in message:
        return _unbound(facts, pod)
    # What stands behind "preemption:" says only that nobody else can be sent away.
    reasons = _REASON.findall(message.partition("preemption:")[0])
    parts = [f"{count} {_said(reason)}" for count, reason in reasons]
    resources = [match[1] for _, reason in reasons if (match := re.match(r"Insufficient (\S+)", reason))]
    asked = [one for name in resources if (one := _asked(facts, pod, name))]
    if any("taint" in reason for _, reason in reasons) and (taints := _taints(facts, pod)):
        # Kubernetes 1.34 says no more which they are.
        asked.append(f"taints that it does not tolerate are {', '.join(taints)}")
    says = f"of the nodes {', '.join(parts)}" if parts else quoted(message)
    return Cause(
        Code.NO_NODE_FITS,
        f"no node takes its pod: {'; '.join([says, *asked])}",
        "; ".join(dict.fromkeys(_mending(reason) for _, reason in reasons))
        or "look at what the scheduler says of the pod (kubectl describe pod)",
    )


def missing_claim(name: str) -> Cause:
    """There is no such claim."""
    return Cause(
        Code.CLAIM_MISSING,
        f"there is no PersistentVolumeClaim {name}, which its model is to come from",
        f"make the PersistentVolumeClaim {name} in this namespace, or name one that exists in storageUri "
        "(pvc://CLAIM/PATH)",
    )


def _unbound(facts: Facts, pod: Object | None) -> Cause:
    names = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in (pod or {"spec": {}})["spec"].get("volumes", [])
        if "persistentVolumeClaim" in volume
    ]
    namespace = pod["metadata"]["namespace"] if pod else facts.namespace
    claims = [one for name in names if (one := facts.find("persistentvolumeclaims", namespace, name))]
    unbound = [one for one in claims if one.get("status", {}).get("phase") != "Bound"]
    if not unbound:
        said, kind = " ".join(names) or "of its pod", ""
    else:
        said = unbound[0]["metadata"]["name"]
        kind = unbound[0]["spec"].get("storageClassName") or ""
        told = next((message for _, message in facts.warnings(unbound[0])), "")
        kind = f" (StorageClass {kind or 'none'}{f': {quoted(told)}' if told else ''})"
    return Cause(
        Code.CLAIM_NOT_BOUND,
        f"the PersistentVolumeClaim {said} has no volume{kind}",
        "give it a StorageClass that exists and makes volumes (kubectl get storageclass), or a "
        "PersistentVolume that fits it",
    )


def _said(reason: str) -> str:
    if reason.startswith("Insufficient "):
        return f"have too little {reason.removeprefix('Insufficient ').strip()} left"
    if reason == "Too many pods":
        return "have as many pods as they may"
    if found := re.match(r"node\(s\) had untolerated taint\(?s?\)? ?(.*)", reason):
        return f"have a taint that it does not tolerate {found[1].strip()}".strip()
    if "didn't match Pod's node affinity/selector" in reason:
        return "do not match its node selector or affinity"
    return reason.replace("node(s) ", "", 1)


def _mending(reason: str) -> str:
    if reason.startswith("Insufficient ") and "/" in reason:
        name = reason.removeprefix("Insufficient ").strip()
        return f"add a node with {name} free (its device plugin must run), or ask for less of it"
    if reason.startswith("Insufficient "):
        return "ask for less in resources.requests, or add a larger node"
    if "taint" in reason:
        return "give it a toleration for the taint, or take the taint from a node"
    if "affinity/selector" in reason:
        return "correct its nodeSelector or affinity, or label a node so"
    return "free or add a node"


def _asked(facts: Facts, pod: Object | None, resource: str) -> str:
    """How much a pod asks for, and how much the largest node has."""
    if pod is None:
        return ""
    requests = [one.get("resources", {}).get("requests", {}) for one in pod["spec"]["containers"]]
    wanted = sum((parse_quantity(one.get(resource, "0")) for one in requests), Decimal(0))
    nodes = [one.get("status", {}).get("allocatable", {}) for one in facts.all("nodes")]
    most = max((parse_quantity(one.get(resource, "0")) for one in nodes), default=None)
    largest = "" if most is None else f", the largest node has {_written(most)} in all"
    return f"it asks for {_written(wanted)} of {resource}{largest}" if wanted else ""


def _taints(facts: Facts, pod: Object | None) -> list[str]:
    """Taints of nodes that keep a pod away, as `kubectl taint` writes them."""
    tolerations = (pod or {"spec": {}})["spec"].get("tolerations") or []
    return sorted(
        {
            f"{taint['key']}{'=' * bool(taint.get('value'))}{taint.get('value') or ''}:{taint['effect']}"
            for node in facts.all("nodes")
            for taint in node.get("spec", {}).get("taints") or []
            if taint["effect"] != "PreferNoSchedule"
            and not any(_tolerates(one, taint) for one in tolerations)
        }
    )


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return (toleration.get("key"), toleration.get("value") or "") == (taint["key"], taint.get("value") or "")


def _written(amount: Decimal) -> str:
    """As people write it: bytes in Gi."""
    return f"{amount / _GIB:.1f}Gi" if amount >= _GIB else f"{amount.normalize():f}"
