"""Reads what the checks are functions of: lists and the ends of some logs, no more than is bounded here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from modelserve.canary.rollout.objects import TIMEOUT_SECONDS, telling
from modelserve.doctor.checks import dns, platform
from modelserve.doctor.checks.pods import wants_log
from modelserve.doctor.facts import Facts, Object, Refusal, condition

_PAGE, _PAGES = 500, 10
"""Objects of one answer, and answers to one list. More of a kind in one namespace are not looked at."""

_LOGS = 20
"""Containers whose logs are read, of one namespace."""

_LINES, _BYTES = 30, 16384
"""Of one log, from its end."""

_IN_NAMESPACE = (
    ("serving.kserve.io", "v1beta1", "inferenceservices"),
    ("serving.kserve.io", "v1alpha1", "servingruntimes"),
    ("serving.knative.dev", "v1", "services"),
    ("serving.knative.dev", "v1", "revisions"),
    ("apps", "v1", "deployments"),
    ("networking.k8s.io", "v1", "networkpolicies"),
    ("", "v1", "pods"),
    ("", "v1", "persistentvolumeclaims"),
    ("", "v1", "events"),
)
_OF_CLUSTER = (
    ("serving.kserve.io", "v1alpha1", "clusterservingruntimes"),
    ("serving.kserve.io", "v1alpha1", "clusterstoragecontainers"),
    ("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations"),
    ("", "v1", "namespaces"),
    ("", "v1", "nodes"),
)
_OF_PLATFORM = (
    ("apps", "v1", "deployments"),
    ("discovery.k8s.io", "v1", "endpointslices"),
    ("", "v1", "pods"),
)
_OF_DNS = (*_OF_PLATFORM, ("", "v1", "services"))

KINDS = frozenset({*_IN_NAMESPACE, *_OF_CLUSTER, *_OF_DNS})
"""All that is listed."""


@dataclass
class _Read:
    """What has been read so far."""

    objects: dict[str, dict[str, Object]] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    refused: set[Refusal] = field(default_factory=set)
    logs: dict[str, str] = field(default_factory=dict)

    def facts(self, namespace: str, name: str | None) -> Facts:
        return Facts(
            namespace=namespace,
            name=name,
            now=datetime.now(timezone.utc),
            objects={resource: tuple(found.values()) for resource, found in self.objects.items()},
            absent=frozenset(self.absent),
            refused=tuple(sorted(self.refused)),
            logs=dict(self.logs),
        )


def read(connection: client.ApiClient, namespace: str, name: str | None = None) -> Facts:
    """Read what is known of the InferenceServices of a namespace, and of the platform.

    What may not be read is noted, and the rest is read all the same.

    Args:
        connection: to the cluster.
        namespace: that is looked at.
        name: of the one InferenceService that is asked about; None for all.

    Raises:
        CannotRollOut: the cluster does not answer, or not to this account.
    """
    found = _Read()
    for kind in _OF_CLUSTER:
        _list(connection, found, kind)
    for kind in _IN_NAMESPACE:
        _list(connection, found, kind, namespace)
    known = found.facts(namespace, name)
    for place in platform.places(known):
        # A namespace that is known not to be there has nothing to read.
        if known.was_read("namespaces", "") and known.find("namespaces", "", place) is None:
            continue
        for kind in _OF_PLATFORM:
            _list(connection, found, kind, place)
    for kind in _OF_DNS:
        # Of the pods in this namespace, which are many on large clusters, only those of DNS are wanted.
        _list(connection, found, kind, dns.NAMESPACE, selector=dns.LABEL if kind[2] == "pods" else "")
    _read_logs(connection, found, namespace, name)
    return found.facts(namespace, name)


def _list(
    connection: client.ApiClient,
    found: _Read,
    kind: tuple[str, str, str],
    namespace: str = "",
    *,
    selector: str = "",
) -> None:
    """Read all objects of a kind, in a namespace or the cluster's."""
    group, version, plural = kind
    resource = f"{plural}.{group}" if group else plural
    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
    path = f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"
    more, asked = "", {"limit": str(_PAGE), **({"labelSelector": selector} if selector else {})}
    if plural == "events":
        asked["fieldSelector"] = "type=Warning"
    for _ in range(_PAGES):
        status, body = _get(
            connection, path, asked | ({"continue": more} if more else {}), f"the list of {resource}"
        )
        if status == 403:
            found.refused.add(Refusal("list", resource, namespace))
            return
        if status == 404:
            found.absent.add(resource)
            return
        said = json.loads(body)
        kept = found.objects.setdefault(resource, {})
        for one in said.get("items") or []:
            metadata = one["metadata"]
            kept[f"{metadata.get('namespace', '')}/{metadata['name']}"] = one
        more = (said.get("metadata") or {}).get("continue", "")
        if not more:
            return


def _read_logs(connection: client.ApiClient, found: _Read, namespace: str, name: str | None) -> None:
    """Read the ends of the logs that tell more than their pods do."""
    for pod, container, is_previous in [*_silent(found.facts(namespace, name))][:_LOGS]:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        asked = {"container": container, "tailLines": str(_LINES), "limitBytes": str(_BYTES)}
        status, body = _get(
            connection,
            path,
            asked | ({"previous": "true"} if is_previous else {}),
            f"the log of {pod}",
            logs=True,
        )
        if status == 403:
            found.refused.add(Refusal("get", "pods/log", namespace))
            return
        if status == 200:
            found.logs[f"{pod}/{container}"] = body.decode(errors="replace")


def _silent(facts: Facts) -> Iterator[tuple[str, str, bool]]:
    """Containers of pods that are not ready, the newest first, of the services that are asked about."""
    pods = sorted(
        facts.of("pods", facts.namespace),
        key=lambda one: str(one["metadata"]["creationTimestamp"]),
        reverse=True,
    )
    for pod in pods:
        service = pod["metadata"].get("labels", {}).get("serving.kserve.io/inferenceservice")
        if service is None or facts.name not in (None, service):
            continue
        if condition(pod, "Ready").get("status") != "True":
            for container, is_previous in wants_log(pod):
                yield pod["metadata"]["name"], container, is_previous


def _get(
    connection: client.ApiClient, path: str, asked: dict[str, str], what: str, *, logs: bool = False
) -> tuple[int, bytes]:
    """A status that means something to the caller, and what was said.

    A log may be gone or not begun, which the API server calls a bad request.
    """
    query: Any = list(asked.items())
    request = connection.param_serialize(
        "GET", path, query_params=query, header_params={"Accept": "*/*"}, auth_settings=["BearerToken"]
    )
    with telling(what):
        answer = connection.call_api(*request, _request_timeout=TIMEOUT_SECONDS)
        body: bytes = answer.read()
        accepted = (200, 400, 403, 404, 500) if logs else (200, 403, 404)
        if answer.status not in accepted:
            raise ApiException(status=answer.status, reason=answer.reason, body=body.decode(errors="replace"))
    return int(answer.status), body
