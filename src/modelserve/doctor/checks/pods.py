"""Why a pod does not run or does not answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from modelserve.doctor.checks.refusals import quoted
from modelserve.doctor.checks.resources import missing_claim, unschedulable
from modelserve.doctor.checks.storage import INITIALIZER, unread
from modelserve.doctor.facts import Facts, Object, condition
from modelserve.doctor.findings import Cause, Code

PATIENCE_SECONDS = 60.0
"""In which a server that runs is taken to be loading its model."""

_RECENT_SECONDS = 3600.0
"""In which the end of a container that runs again is told."""

_PROXY = "queue-proxy"
_UNPULLED = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_UNSTARTED = {"CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun"}


def trouble(facts: Facts, pod: Object, uri: str) -> Cause | None:
    """What keeps a pod from answering; None where nothing does, or nothing yet.

    Args:
        facts: with its events and the ends of its logs.
        pod: that is not ready.
        uri: from where its model comes; empty for none.
    """
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return unschedulable(facts, scheduled.get("message", ""), pod)
    for container in _containers(pod):
        if cause := _container_trouble(facts, pod, container, uri):
            return cause
    return _unmounted(facts, pod) or _silent(facts, pod)


def lately_killed(facts: Facts, pod: Object) -> Cause | None:
    """Whether a container of a pod that answers was killed for its memory in the last hour."""
    for container in _containers(pod):
        ended = container.get("lastState", {}).get("terminated", {})
        if ended.get("reason") == "OOMKilled" and facts.seconds_since(ended["finishedAt"]) < _RECENT_SECONDS:
            return _out_of_memory(pod, container["name"], container.get("restartCount", 1))
    return None


def wants_log(pod: Object) -> Iterator[tuple[str, bool]]:
    """Containers whose log tells more than the pod does, each with whether it is that of its last run."""
    for container in _containers(pod):
        ended = _ended(container)
        if ended and ended.get("exitCode") and not ended.get("message"):
            yield container["name"], "terminated" not in container.get("state", {})
        elif not ended and "running" in container.get("state", {}) and container["name"] != _PROXY:
            yield container["name"], False


def last_words(text: str) -> str:
    """Why a server ended, by its own words: the last line with an error, else the last one."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    said = [_message(line) for line in lines]
    failures = [message for level, message in said if level in ("ERROR", "CRITICAL", "FATAL")]
    raised = [line for line in lines if re.match(r"[\w.]+(?:Error|Exception|Exit): ", line)]
    found = failures or raised or [message for _, message in said]
    return quoted(found[-1]) if found else ""


def waiting_trouble(reason: str, message: str, container: str, image: str) -> Cause | None:
    """What the reason for which a container waits means; None where it may begin by itself."""
    if reason in _UNPULLED:
        why = re.sub(r'.*failed to resolve reference "[^"]*"', "", message, flags=re.DOTALL)
        return Cause(
            Code.IMAGE_NOT_PULLED,
            f"the image {image} of its container {container} cannot be pulled: {quoted(why.strip(': '))}",
            "correct the image's name and tag, push it, or name a registry's credentials in imagePullSecrets",
        )
    if reason == "CreateContainerConfigError":
        return _unconfigured(message, container)
    if reason in _UNSTARTED:
        return Cause(
            Code.CONTAINER_NOT_STARTED,
            f"its container {container} cannot be started: {quoted(message)}",
            "correct the container's command, mounts and securityContext",
        )
    return None


def ended_trouble(exit_code: int, said: str, container: str) -> Cause:
    """What it means that a container ended by itself."""
    words = last_words(said)
    return Cause(
        Code.CRASHED,
        f"its container {container} ends at its start with exit code {exit_code}"
        + (f", and said last: {words}" if words else ", and said nothing"),
        "mend what it names: the model's folder, its arguments or its environment",
    )


def _containers(pod: Object) -> Iterator[Object]:
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _container_trouble(facts: Facts, pod: Object, container: Object, uri: str) -> Cause | None:
    name, state = container["name"], container.get("state", {})
    waiting = state.get("waiting", {})
    if cause := waiting_trouble(
        waiting.get("reason", ""), waiting.get("message", ""), name, container.get("image", "")
    ):
        return cause
    ended = _ended(container)
    if container.get("ready") or not ended or not (ended.get("exitCode") or waiting):
        return None
    if ended.get("reason") == "OOMKilled":
        return _out_of_memory(pod, name, container.get("restartCount", 0))
    if ended.get("reason") in _UNSTARTED:
        return waiting_trouble(ended["reason"], ended.get("message", ""), name, "")
    said = ended.get("message") or facts.logs.get(f"{pod['metadata']['name']}/{name}", "")
    if name == INITIALIZER:
        return unread(uri, said)
    return ended_trouble(ended.get("exitCode", 0), said, name)


def _ended(container: Object) -> Object:
    """How a container ended last; empty where it has not."""
    found: Object = container.get("state", {}).get("terminated") or container.get("lastState", {}).get(
        "terminated", {}
    )
    return found


def _out_of_memory(pod: Object, name: str, restarts: int) -> Cause:
    both = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    limits = [one.get("resources", {}).get("limits", {}) for one in both if one["name"] == name]
    limit = limits[0].get("memory") if limits else None
    bound = f"its limit of {limit}" if limit else "the node's memory"
    return Cause(
        Code.OUT_OF_MEMORY,
        f"its container {name} was killed for memory beyond {bound} (OOMKilled, {restarts} restarts)",
        "raise resources.limits.memory and requests.memory, or lower its batch, queue or workers",
    )


def _unconfigured(message: str, container: str) -> Cause:
    if found := re.search(r"""(secret|configmap) "?([^\s"]+)"? not found""", message):
        kind = {"secret": "Secret", "configmap": "ConfigMap"}[found[1]]
        wrong, thing = f"there is no {kind} {found[2]}", f"{kind} {found[2]}"
        mend = f"make the {thing} in this namespace, or take the reference to it away"
    elif found := re.search(r"couldn't find key (\S+) in (Secret|ConfigMap) (\S+)", message):
        thing = f"{found[2]} {found[3].rpartition('/')[2]}"
        wrong = f"the {thing} has no key {found[1]}"
        mend = f"add the key {found[1]} to the {thing}, or name another"
    else:
        wrong, mend = quoted(message), "correct the container's env, envFrom and securityContext"
    return Cause(Code.CONFIG_MISSING, f"its container {container} cannot be made: {wrong}", mend)


def _unmounted(facts: Facts, pod: Object) -> Cause | None:
    """Whether a volume keeps the containers from being made."""
    for reason, message in facts.warnings(pod):
        if reason not in ("FailedMount", "FailedAttachVolume"):
            continue
        if found := re.search(r'persistentvolumeclaim "([^"]+)" not found', message):
            return missing_claim(found[1])
        if found := re.search(r'(secret|configmap) "([^"]+)" not found', message):
            return _unconfigured(found[0], "that mounts it")
        return Cause(
            Code.VOLUME_NOT_MOUNTED,
            f"a volume of its pod cannot be mounted: {quoted(message)}",
            "mend what it names: the volume's driver, its node or who else holds it",
        )
    return None


def _silent(facts: Facts, pod: Object) -> Cause | None:
    """Whether its server has run for long and its readiness probe finds nobody."""
    for container in pod.get("status", {}).get("containerStatuses") or []:
        running = container.get("state", {}).get("running")
        if container.get("ready") or not running:
            continue
        seconds = facts.seconds_since(running["startedAt"])
        if seconds < PATIENCE_SECONDS:
            continue
        server = next(one for one in pod["spec"]["containers"] if one["name"] != _PROXY)["name"]
        words = last_words(facts.logs.get(f"{pod['metadata']['name']}/{server}", ""))
        return Cause(
            Code.NOT_ANSWERING,
            f"its container {server} has run for {seconds:.0f} s and does not answer its readiness probe "
            f"{_probe(pod, container['name'])}" + (f"; it said last: {words}" if words else ""),
            "make the probe's and the container's port those that the server listens on, or give a model "
            "that takes longer to load more time",
        )
    return None


def _probe(pod: Object, container: str) -> str:
    """How readiness is asked, in words. Knative's proxy asks by what it has in its environment."""
    asked: Object = {}
    for one in pod["spec"]["containers"]:
        if one["name"] == container:
            asked = one.get("readinessProbe", {})
            for variable in one.get("env", []) if container == _PROXY else []:
                if variable["name"] == "SERVING_READINESS_PROBE":
                    asked = json.loads(variable.get("value") or "{}")
    for kind, words in (("httpGet", "GET {path} at port {port}"), ("grpc", "gRPC at port {port}")):
        if found := asked.get(kind):
            return words.format(path=found.get("path", "/"), port=found.get("port"))
    return f"TCP at port {asked['tcpSocket'].get('port')}" if "tcpSocket" in asked else ""


def _message(line: str) -> tuple[str, str]:
    """A line's level and text; of JSON its own, else the whole line without a level."""
    try:
        found = json.loads(line)
    except ValueError:
        return "", line
    if not isinstance(found, dict) or not isinstance(found.get("message"), str):
        return "", line
    return str(found.get("level", "")).upper(), found["message"]
