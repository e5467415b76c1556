"""Objects of the Kubernetes API: read, applied by an owner of its own, patched; errors in a sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from modelserve.canary.rollout.protocol import Away, CannotRollOut, Gone

MANAGER = "canary"
"""The owner of what is written here, in the API server's books."""

TIMEOUT_SECONDS = 10.0
"""For one answer of the API server."""
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

Object: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object, as the API's paths have it."""

    group: str
    version: str
    plural: str
    name: str

    @property
    def api_version(self) -> str:
        """As manifests have it."""
        return f"{self.group}/{self.version}"


class Conflict(CannotRollOut):
    """The object is not as it was read."""


def connect() -> client.ApiClient:
    """A connection to the cluster that KUBECONFIG names, or that the process is in; threads may share it.

    Raises:
        CannotRollOut: there is no cluster to talk to.
    """
    try:
        settings = client.Configuration()
        if "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
            config.load_incluster_config(client_configuration=settings)
        else:
            config.load_kube_config(client_configuration=settings)
    except config.ConfigException as error:
        raise CannotRollOut(
            f"no cluster is configured ({error}); KUBECONFIG, or a pod's service account, is accepted"
        ) from error
    settings.retries = False
    return client.ApiClient(settings)


class Objects:
    """Objects of one namespace.

    Args:
        connection: to the cluster.
        namespace: that they are in; None for the kubeconfig's, or the pod's.
    """

    def __init__(self, connection: client.ApiClient, namespace: str | None = None) -> None:
        self._api, self._core = client.CustomObjectsApi(connection), client.CoreV1Api(connection)
        self.namespace = namespace or own_namespace()

    def get(self, kind: Kind, name: str) -> Object:
        """An object.

        Raises:
            Gone: there is none.
            CannotRollOut: the cluster does not say.
        """
        return self._ask(kind, name, self._api.get_namespaced_custom_object)

    def apply(self, kind: Kind, seen: Object, spec: Mapping[str, Any]) -> None:
        """Own these fields of an object that is as it was read, whoever owned them, and no others.

        Args:
            kind: of the object.
            seen: the object as it was read.
            spec: the fields.

        Raises:
            Conflict: it has changed since.
            CannotRollOut: the cluster does not take it.
        """
        body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": _as_seen(seen), "spec": spec}
        self._patch(kind, body, content_type="application/apply-patch+yaml", force=True)

    def merge(self, kind: Kind, seen: Object, spec: Mapping[str, Any]) -> None:
        """Change an object that is as it was read; None takes a field away.

        Args:
            kind: of the object.
            seen: the object as it was read.
            spec: the changes.

        Raises:
            Conflict: it has changed since.
            CannotRollOut: the cluster does not take it.
        """
        body = {"metadata": _as_seen(seen), "spec": spec}
        self._patch(kind, body, content_type="application/merge-patch+json")

    def pods(self, selector: str) -> list[Object]:
        """The pods with these labels.

        Raises:
            CannotRollOut: the cluster does not say.
        """
        with telling(f"pods of {self.namespace}"):
            answer = self._core.list_namespaced_pod(
                self.namespace,
                label_selector=selector,
                _request_timeout=TIMEOUT_SECONDS,
                _preload_content=False,
            )
            found: list[Object] = json.loads(answer.data)["items"]
        return found

    def _patch(self, kind: Kind, body: Object, *, content_type: str, **more: Any) -> None:
        self._ask(
            kind,
            body["metadata"]["name"],
            self._api.patch_namespaced_custom_object,
            body=body,
            field_manager=MANAGER,
            _content_type=content_type,
            **more,
        )

    def _ask(self, kind: Kind, name: str, call: Any, **more: Any) -> Object:
        with telling(f"{kind.name} {self.namespace}/{name}"):
            found: Object = call(
                kind.group,
                kind.version,
                self.namespace,
                kind.plural,
                name,
                _request_timeout=TIMEOUT_SECONDS,
                **more,
            )
        return found


def owners(seen: Object, *path: str) -> set[tuple[str, str]]:
    """Who has written a field, in the API server's books.

    Args:
        seen: the object.
        path: to the field, from the object's top.

    Returns:
        Names of field managers, each with ``Apply`` or ``Update``.
    """
    found = set()
    for entry in seen["metadata"].get("managedFields", []):
        fields = entry.get("fieldsV1", {})
        for name in path:
            fields = fields.get(f"f:{name}")
            if fields is None:
                break
        else:
            found.add((entry["manager"], entry["operation"]))
    return found


def _as_seen(seen: Object) -> Object:
    """What makes the API server refuse a change of an object that is another one by now."""
    return {key: seen["metadata"][key] for key in ("name", "namespace", "resourceVersion")}


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Make sentences of the API's errors.

    Raises:
        Gone: there is no such object.
        Conflict: it is not as it was read.
        Away: the cluster does not answer, or cannot now.
        CannotRollOut: it answers no.
    """
    try:
        yield
    except ApiException as error:
        raise _refusal(error, what) from error
    except HTTPError as error:
        raise Away(f"the cluster does not answer: {error}") from error


def _refusal(error: ApiException, what: str) -> CannotRollOut:
    # The message is in the body.
    said = error.body if isinstance(error.body, str) else (error.body or b"").decode(errors="replace")
    try:
        message = str(json.loads(said)["message"])
    except (ValueError, TypeError, KeyError):
        message = said[:500] or str(error.reason)
    if error.status == 404:
        return Gone(f"there is no {what}")
    if error.status == 409:
        return Conflict(f"{what} cannot be changed: {message}")
    kind = Away if error.status in (0, 429) or error.status >= 500 else CannotRollOut
    return kind(f"{what}: the cluster says {error.status}, {message}")


def own_namespace() -> str:
    """The pod's, or the kubeconfig's."""
    try:
        return _POD_NAMESPACE.read_text().strip()
    except OSError:
        pass
    try:
        _, active = config.list_kube_config_contexts()
    except config.ConfigException:
        return "default"
    found: str = active["context"].get("namespace", "default")
    return found
