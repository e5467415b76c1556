"""What is wrong with an InferenceService: of each component the cause, and not what follows from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from modelserve.doctor.checks import network, runtime, storage
from modelserve.doctor.checks.pods import ended_trouble, lately_killed, trouble, waiting_trouble
from modelserve.doctor.checks.refusals import quoted, refusal
from modelserve.doctor.checks.resources import unschedulable
from modelserve.doctor.components import SERVICES, Component, components
from modelserve.doctor.facts import Facts, Object, condition, full_name
from modelserve.doctor.findings import Cause, Code, Finding

PATIENCE_SECONDS = 300.0
"""In which a service without a visible fault is taken to be on its way."""

_STOP = "serving.kserve.io/stop"


def absent(facts: Facts) -> Finding | None:
    """That there is no such service, or no such namespace; None where there is, or may be."""
    if facts.was_read("namespaces", "") and facts.find("namespaces", "", facts.namespace) is None:
        spaces = [one["metadata"]["name"] for one in facts.all("namespaces")]
        return Finding(
            Code.NAMESPACE_MISSING,
            f"Namespace {facts.namespace}",
            "There is no such namespace in this cluster.",
            f"Name one that exists by --namespace{_close(facts.namespace, spaces)}, or another cluster by "
            "KUBECONFIG.",
        )
    if facts.name is None or not facts.was_read(SERVICES, facts.namespace):
        return None
    names = [one["metadata"]["name"] for one in facts.of(SERVICES, facts.namespace)]
    if facts.name in names:
        return None
    known = f"there are {', '.join(sorted(names)[:10])}" if names else "there is none in it"
    return Finding(
        Code.SERVICE_MISSING,
        f"InferenceService {facts.namespace}/{facts.name}",
        f"There is no InferenceService of this name in the namespace; {known}.",
        f"Correct the name{_close(facts.name, names)} or the --namespace, or apply the InferenceService.",
    )


def check(facts: Facts, service: Object, *, is_platform_down: bool) -> Iterator[Finding]:
    """What is wrong with a service.

    Args:
        facts: of its namespace.
        service: the InferenceService.
        is_platform_down: whether something is known that keeps every service from being looked after.
    """
    if service["metadata"].get("annotations", {}).get(_STOP) == "true":
        return
    for component in components(service, facts):
        causes = list(network.blocked(facts, component))
        if component.is_ready:
            causes += _of_some_pods(facts, component)
        elif cause := _cause(facts, component):
            causes += [] if _is_told(cause, causes) else [cause]
        elif not causes and not is_platform_down:
            causes.append(_unexplained(facts, component))
        for cause in causes:
            yield _finding(component, cause)


def _cause(facts: Facts, component: Component) -> Cause | None:
    """Why a component is not ready, if there is something that says so."""
    uri = _uri(component)
    messages = list(_messages(facts, component))
    return (
        runtime.missing(facts, component)
        or (storage.unsupported_scheme(facts, uri) if component.revision is None else None)
        or next((cause for said in messages if (cause := refusal(said))), None)
        or _of_pods(facts, component, uri)
        or _of_revision(facts, component, uri)
    )


def _is_told(cause: Cause, before: list[Cause]) -> bool:
    """Whether a store that is not reached is a symptom of what is found already."""
    return cause.code is Code.STORAGE_AWAY and any(one.code is Code.DNS_BLOCKED for one in before)


def _messages(facts: Facts, component: Component) -> Iterator[str]:
    """What says why something is not made, the nearest to its cause first."""
    for deployment in component.deployments(facts):
        yield condition(deployment, "ReplicaFailure").get("message", "")
    for kind in ("Ready", "ResourcesAvailable"):
        yield condition(component.revision, kind).get("message", "")
    found = condition(component.service, f"{component.kind.capitalize()}Ready")
    if found.get("status") == "False":
        yield found.get("message", "")
    if component.revision is None and component.is_knative:
        yield from (message for _, message in facts.warnings(component.service))


def _of_some_pods(facts: Facts, component: Component) -> list[Cause]:
    """What is wrong with pods of a component that answers, one cause at most."""
    if cause := _of_pods(facts, component, _uri(component)):
        return [cause]
    return [cause for pod in component.pods(facts) if (cause := lately_killed(facts, pod))][:1]


def _of_pods(facts: Facts, component: Component, uri: str) -> Cause | None:
    for pod in component.pods(facts):
        if condition(pod, "Ready").get("status") != "True" and (cause := trouble(facts, pod, uri)):
            return cause
    return None


def _of_revision(facts: Facts, component: Component, uri: str) -> Cause | None:
    """What Knative has kept of a revision whose pods it has taken away, ten minutes after they failed."""
    for kind in ("ContainerHealthy", "ResourcesAvailable"):
        found = condition(component.revision, kind)
        if found.get("status") != "False":
            continue
        reason, message = found.get("reason", ""), found.get("message", "")
        if reason == "ContainerMissing":
            image = re.search(r'fetch image "([^"]+)": (.*)', message, re.DOTALL)
            name, why = (image[1], image[2]) if image else ("", message)
            return waiting_trouble("ImagePullBackOff", why, "kserve-container", name)
        if reason == "Unschedulable":
            return unschedulable(facts, message, None)
        if code := re.fullmatch(r"ExitCode(\d+)", reason):
            said = message.removeprefix("Container failed with: ")
            if "storage.initializer" in said or "kserve_storage" in said:
                return storage.unread(uri, said)
            return ended_trouble(int(code[1]), said, "kserve-container")
        containers = (component.revision or {"spec": {"containers": [{}]}})["spec"]["containers"]
        if cause := waiting_trouble(reason, message, "kserve-container", containers[0].get("image", "")):
            return cause
    return None


def _unexplained(facts: Facts, component: Component) -> Cause:
    """That a component is not ready, and for how long."""
    since = component.revision or component.service
    seconds = facts.seconds_since(since["metadata"]["creationTimestamp"])
    told = [
        one["message"]
        for one in (component.service.get("status") or {}).get("conditions", [])
        if one["status"] == "False" and one.get("message")
    ]
    told += [message for _, message in facts.warnings(component.service)]
    said = f": {quoted(told[0])}" if told else ""
    if seconds < PATIENCE_SECONDS:
        return Cause(
            Code.STARTING,
            f"its {component.kind} is not ready yet, {seconds:.0f} s after it was made{said}",
            "wait, and ask again",
        )
    return Cause(
        Code.NOT_READY,
        f"its {component.kind} has not been ready for {seconds:.0f} s, and nothing tells why{said}",
        f"look at all that the cluster says of it (kubectl describe inferenceservice "
        f"{component.service['metadata']['name']}), and at the logs of KServe's and Knative's controllers",
    )


def _finding(component: Component, cause: Cause) -> Finding:
    # The predictor is what most services are made of: only others are named.
    part = "" if component.kind == "predictor" else f"({component.kind}) "
    wrong = f"{part}{cause.wrong[0].upper()}{cause.wrong[1:]}"
    serving = None if component.is_ready else component.still_serving
    return Finding(
        cause.code,
        f"InferenceService {full_name(component.service)}",
        f"{wrong}; meanwhile {serving} has the calls." if serving else f"{wrong}.",
        f"{cause.mend[0].upper()}{cause.mend[1:]}.",
        serving,
    )


def _uri(component: Component) -> str:
    model = component.spec.get("model") or {}
    found = model.get("storageUri") or (model.get("storage") or {}).get("path") or ""
    for container in component.spec.get("containers") or []:
        for variable in container.get("env") or []:
            if variable["name"] == "STORAGE_URI":
                found = found or variable.get("value", "")
    return str(found)


def _close(wanted: str, known: list[str]) -> str:
    close = get_close_matches(wanted, known, n=3)
    return f" ({', '.join(close)}?)" if close else ""
