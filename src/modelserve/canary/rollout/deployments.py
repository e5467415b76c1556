"""The Deployments behind InferenceServices in Standard mode: whether they can answer, and why not."""

from __future__ import annotations

from modelserve.canary.rollout.objects import Kind, Object, Objects
from modelserve.canary.rollout.pods import LONGEST, trouble
from modelserve.canary.rollout.protocol import CannotRollOut

DEPLOYMENTS = Kind("apps", "v1", "deployments", "Deployment")

_HASH = "pod-template-hash"  # one for each template that a Deployment has had


def readiness(objects: Objects, stable: str, canary: str | None) -> tuple[bool, str]:
    """Whether both can answer as they were last told to, and why the canary will not do so by itself.

    Raises:
        CannotRollOut: the cluster does not say.
    """
    is_ready = _is_ready(objects.get(DEPLOYMENTS, stable))
    if canary is None:
        return is_ready, ""
    found = objects.get(DEPLOYMENTS, canary)
    if _is_ready(found):
        return is_ready, ""
    return False, (trouble(_newest_pods(objects, found)) or _given_up(found)).strip()[-LONGEST:]


def expect_ready(objects: Objects, deployment: str) -> None:
    """Make sure that a Deployment can answer all calls.

    Raises:
        CannotRollOut: it cannot, or is no longer there.
    """
    if not _is_ready(objects.get(DEPLOYMENTS, deployment)):
        raise CannotRollOut(f"there is no way back to {deployment}: it is not ready")


def _is_ready(deployment: Object) -> bool:
    """Whether every pod is of the newest template, and one at least can answer."""
    status = deployment.get("status", {})
    is_current = status.get("observedGeneration") == deployment["metadata"]["generation"]
    is_whole = status.get("updatedReplicas", 0) == status.get("replicas", 0)
    return is_current and is_whole and bool(status.get("availableReplicas"))


def _newest_pods(objects: Objects, deployment: Object) -> list[Object]:
    """Those of the newest template: an older one's may crash while it is replaced."""
    labels = deployment["spec"]["selector"]["matchLabels"]
    pods = objects.pods(",".join(f"{key}={value}" for key, value in labels.items()))
    youngest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)
    if youngest is None:
        return []
    template = youngest["metadata"]["labels"].get(_HASH)
    return [pod for pod in pods if pod["metadata"]["labels"].get(_HASH) == template]


def _given_up(deployment: Object) -> str:
    """What the Deployment's own controller says, once it waits no longer."""
    for condition in deployment.get("status", {}).get("conditions", []):
        if condition["type"] == "Progressing" and condition["status"] == "False":
            return str(condition.get("message", condition.get("reason", "")))
    return ""
