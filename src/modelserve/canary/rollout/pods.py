"""Why a pod does not run, as its node and the container itself tell."""

from __future__ import annotations

from collections.abc import Iterable

from modelserve.canary.rollout.objects import Object

LONGEST = 400
"""Characters of what is told, from the end: it is there that programs say why."""

_HOPELESS = {
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
}


def trouble(pods: Iterable[Object]) -> str:
    """What keeps a container from running, and will not go by itself; empty where nothing does."""
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses", []):
            waiting = container.get("state", {}).get("waiting", {})
            if waiting.get("reason") not in _HOPELESS:
                continue
            ended = container.get("lastState", {}).get("terminated", {})
            said = ended.get("message") or waiting.get("message", "")
            return f"{waiting['reason']}: {said.strip()[-LONGEST // 2 :]}"
    return ""
