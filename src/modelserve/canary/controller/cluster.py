"""Policies and what they are for, in all namespaces or one: read, and told where their canaries stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from kubernetes import client

from modelserve.canary.controller.resource import KIND, TARGETS
from modelserve.canary.rollout import Gone
from modelserve.canary.rollout.objects import TIMEOUT_SECONDS, Kind, Object, telling

_COMPONENT = "modelserve-canary-controller"
_LONGEST_MESSAGE = 1000  # characters: the API server takes 1024 of an event's


class Cluster:
    """The API server, as the controller sees it. All methods raise ``CannotRollOut``, and ``Away`` of it.

    Args:
        connection: to it.
        namespace: in which policies are obeyed; None for all.
    """

    def __init__(self, connection: client.ApiClient, *, namespace: str | None = None) -> None:
        self._api, self._core = client.CustomObjectsApi(connection), client.CoreV1Api(connection)
        self._namespace = namespace

    def policies(self) -> list[Object]:
        """All policies."""
        return self._list(KIND)

    def versions(self) -> dict[tuple[str, str, str], str]:
        """Of everything that policies may be for, by namespace, kind and name.

        A kind that the cluster does not know has no objects.
        """
        found = {}
        for kind in TARGETS.values():
            try:
                items = self._list(kind)
            except Gone:
                continue
            for item in items:
                metadata = item["metadata"]
                found[metadata["namespace"], kind.name, metadata["name"]] = metadata["resourceVersion"]
        return found

    def policy(self, namespace: str, name: str) -> Object:
        """A policy as it is now.

        Raises:
            Gone: there is none.
        """
        with telling(f"{KIND.name} {namespace}/{name}"):
            found: Object = self._api.get_namespaced_custom_object(
                KIND.group, KIND.version, namespace, KIND.plural, name, _request_timeout=TIMEOUT_SECONDS
            )
        return found

    def write_status(self, policy: Object, status: Mapping[str, Any]) -> Object:
        """Write the status of a policy that is as it was read.

        So of two controllers that both believe to lead, one is told that it does not.

        Args:
            policy: as it was read.
            status: what is to change; None takes a field away.

        Returns:
            The policy as it is now.

        Raises:
            Conflict: it is not as it was read.
        """
        metadata = policy["metadata"]
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "status": status}
        with telling(f"{KIND.name} {metadata['namespace']}/{metadata['name']}"):
            written: Object = self._api.patch_namespaced_custom_object_status(
                KIND.group,
                KIND.version,
                metadata["namespace"],
                KIND.plural,
                metadata["name"],
                body,
                _content_type="application/merge-patch+json",
                _request_timeout=TIMEOUT_SECONDS,
            )
        return written

    def tell(self, policy: Object, *, reason: str, message: str, is_warning: bool) -> None:
        """Write an event about a policy, as ``kubectl describe`` shows it."""
        metadata, now = policy["metadata"], datetime.now(timezone.utc)
        body = client.CoreV1Event(
            metadata=client.V1ObjectMeta(generate_name=f"{metadata['name']}."),
            involved_object=client.V1ObjectReference(
                api_version=KIND.api_version,
                kind=KIND.name,
                namespace=metadata["namespace"],
                name=metadata["name"],
                uid=metadata["uid"],
            ),
            reason=reason,
            message=message[:_LONGEST_MESSAGE],
            type="Warning" if is_warning else "Normal",
            source=client.V1EventSource(component=_COMPONENT),
            first_timestamp=now,
            last_timestamp=now,
            count=1,
        )
        with telling(f"an event in {metadata['namespace']}"):
            self._core.create_namespaced_event(
                metadata["namespace"], body, _request_timeout=TIMEOUT_SECONDS, _preload_content=False
            )

    def _list(self, kind: Kind) -> list[Object]:
        # Out of the API server's cache, as informers do: a moment old, and cheap.
        options: dict[str, Any] = {
            "resource_version": "0",
            "_request_timeout": TIMEOUT_SECONDS,
            "_preload_content": False,
        }
        where = (kind.group, kind.version)
        with telling(f"{kind.name} objects"):
            if self._namespace is None:
                answer = self._api.list_cluster_custom_object(*where, kind.plural, **options)
            else:
                answer = self._api.list_namespaced_custom_object(
                    *where, self._namespace, kind.plural, **options
                )
            items: list[Object] = json.loads(answer.data)["items"]
        return items
