"""What the cluster says, as it was read: checks are functions of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """Something that may not be read.

    Attributes:
        verb: as RBAC has it.
        resource: with its group, as ``deployments.apps``.
        namespace: empty for the cluster.
    """

    verb: str
    resource: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Facts:
    """The state of one namespace, and of what KServe needs beside it.

    Attributes:
        namespace: that is looked at.
        name: of the one InferenceService that is asked about; None for all.
        now: when it was read, with its time zone.
        objects: by their resource with its group, as ``deployments.apps``; of all namespaces that were read.
        absent: resources that the cluster does not know.
        refused: what may not be read.
        logs: the ends of logs, by ``POD/CONTAINER``.
    """

    namespace: str
    name: str | None
    now: datetime
    objects: Mapping[str, tuple[Object, ...]]
    absent: frozenset[str] = frozenset()
    refused: tuple[Refusal, ...] = ()
    logs: Mapping[str, str] = field(default_factory=dict)

    def all(self, resource: str) -> tuple[Object, ...]:
        """Objects of every namespace that was read."""
        return self.objects.get(resource, ())

    def of(self, resource: str, namespace: str) -> list[Object]:
        """Objects of one namespace."""
        return [one for one in self.all(resource) if one["metadata"].get("namespace", "") == namespace]

    def find(self, resource: str, namespace: str, name: str) -> Object | None:
        """An object by its name."""
        return next((one for one in self.of(resource, namespace) if one["metadata"]["name"] == name), None)

    def was_read(self, resource: str, namespace: str) -> bool:
        """Whether the cluster has said which objects there are."""
        return resource in self.objects and not any(
            one.resource == resource and one.namespace in ("", namespace) for one in self.refused
        )

    def seconds_since(self, moment: str) -> float:
        """Seconds from a moment, as Kubernetes writes it, to the reading."""
        return (self.now - datetime.fromisoformat(moment.replace("Z", "+00:00"))).total_seconds()

    def warnings(self, about: Object) -> Iterator[tuple[str, str]]:
        """Reasons and messages of the warnings about an object, newest first."""
        uid = about["metadata"].get("uid")
        found = [one for one in self.all("events") if one["involvedObject"].get("uid") == uid]
        for one in sorted(found, key=_moment, reverse=True):
            if one.get("type") == "Warning":
                yield one.get("reason", ""), one.get("message", "")


def _moment(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def condition(of: Object | None, kind: str) -> Object:
    """A condition of an object's status; empty where it has none of that type."""
    status = (of or {}).get("status") or {}
    return next((one for one in status.get("conditions") or [] if one["type"] == kind), {})


def full_name(of: Object) -> str:
    """``NAMESPACE/NAME``."""
    metadata = of["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}"
