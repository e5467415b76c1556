"""Knative's revisions: whether they can answer, and why not."""

from __future__ import annotations

from modelserve.canary.rollout.objects import Kind, Object, Objects
from modelserve.canary.rollout.pods import LONGEST, trouble
from modelserve.canary.rollout.protocol import CannotRollOut

REVISIONS = Kind("serving.knative.dev", "v1", "revisions", "Revision")


def readiness(objects: Objects, stable: str, canary: str | None) -> tuple[bool, str]:
    """Whether both can answer, and why the canary will not do so by itself; empty where it may.

    Knative 0.48 most often says of a revision whose container crashes, or whose image is not there, that it
    is being deployed, until its progress deadline of ten minutes has passed. Its pods tell at once.

    Raises:
        CannotRollOut: the cluster does not say.
    """
    status, _ = _ready(objects, stable)
    if canary is None:
        return status == "True", ""
    canary_status, message = _ready(objects, canary)
    if canary_status == "Unknown":
        message = trouble(objects.pods(f"serving.knative.dev/revision={canary}"))
    return status == canary_status == "True", "" if canary_status == "True" else message.strip()[-LONGEST:]


def expect_ready(objects: Objects, revision: str) -> None:
    """Make sure that a revision can answer all calls; one without pods can, as soon as it is called.

    Raises:
        CannotRollOut: it cannot, or is no longer there.
    """
    status, message = _ready(objects, revision)
    if status != "True":
        raise CannotRollOut(f"there is no way back to {revision}: {message}")


def _ready(objects: Objects, revision: str) -> tuple[str, str]:
    conditions = objects.get(REVISIONS, revision).get("status", {}).get("conditions", [])
    ready: Object = next((one for one in conditions if one["type"] == "Ready"), {})
    return ready.get("status", "Unknown"), ready.get("message", "it is not ready")
