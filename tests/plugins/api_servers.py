"""An API server with nothing behind it: objects with versions, and a book of what it was asked.

A plugin, as several folders of tests use it.
"""

from __future__ import annotations

import copy
import itertools
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest
from http_servers import Request, answering
from kubernetes import client

Object = dict[str, Any]
_OF_MANY = {"GET": "list", "POST": "create"}
_OF_ONE = {"GET": "get", "PUT": "update", "PATCH": "patch"}
_CREATED = "2026-01-01T00:00:{:02}Z"


class Asked(NamedTuple):
    """What RBAC knows of a request; ``name`` is empty for a list, and for what is to be made."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str


class Place(NamedTuple):
    """Where an object is; ``namespace`` is empty for the cluster's own."""

    group: str
    resource: str
    namespace: str
    name: str


@dataclass
class ApiServer:
    """Objects of any kind.

    Attributes:
        url: of it.
        objects: by their places.
        asked: everything, in order.
        is_away: every answer is 503.
        missing: groups of which it knows no kind.
        on_write: is given each object that a request has changed, and may change it further.
    """

    url: str = ""
    objects: dict[Place, Object] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    is_away: bool = False
    missing: set[str] = field(default_factory=set)
    on_write: Callable[[Place, Object], None] = lambda place, whole: None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, group: str, resource: str, namespace: str, name: str, **content: Any) -> Object:
        """Make an object what somebody else wants it to be."""
        place = Place(group, resource, namespace, name)
        with self._lock:
            self._keep(place, copy.deepcopy(content))
            return copy.deepcopy(self.objects[place])

    def find(self, group: str, resource: str, namespace: str, name: str) -> Object:
        """An object as it is now."""
        with self._lock:
            return copy.deepcopy(self.objects[Place(group, resource, namespace, name)])

    def take_away(self, group: str, resource: str, namespace: str, name: str) -> None:
        """Delete an object."""
        with self._lock:
            del self.objects[Place(group, resource, namespace, name)]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """A status, and an object or what is wrong."""
        place, part = _read(path)
        with self._lock:
            if self.is_away:
                return _refusal(503)
            verb = (_OF_ONE if place.name else _OF_MANY)[method]
            resource = f"{place.resource}/{part}" if part else place.resource
            self.asked.append(Asked(verb, place.group, resource, place.namespace, place.name))
            if place.group in self.missing:
                return _refusal(404)
            status, said = self._obey(verb, place, part, body)
            return status, copy.deepcopy(said)

    def _obey(self, verb: str, place: Place, part: str, body: Any) -> tuple[int, Any]:
        if verb == "list":
            return 200, {"items": [one for at, one in self.objects.items() if _is_in(at, place)]}
        if verb == "create":
            metadata = body["metadata"]
            place = place._replace(
                name=metadata.get("name") or f"{metadata['generateName']}{len(self.asked)}"
            )
            if place in self.objects:
                return _refusal(409)
            self._keep(place, body)
        elif (found := self.objects.get(place)) is None:
            return _refusal(404)
        elif verb in ("update", "patch"):
            said = body.get("metadata", {}) if isinstance(body, dict) else {}
            version = found["metadata"]["resourceVersion"]
            if said.get("resourceVersion", version) != version:
                return _refusal(409)
            changed = body if verb == "update" else _patched(found, body)
            # A status is written apart from the rest.
            kept, of = (found, changed) if part == "status" else (changed, found)
            self._keep(place, {**kept, **({"status": of["status"]} if "status" in of else {})})
        if verb != "get":
            self.on_write(place, self.objects[place])
        return 200, self.objects[place]

    def _keep(self, place: Place, whole: Object) -> None:
        before = self.objects.get(place)
        number = next(self._numbers)
        new: Object = {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": _CREATED.format(number % 60),
            "generation": 0,
        }
        old: Object = before["metadata"] if before else new
        is_as_before = before is not None and before.get("spec") == whole.get("spec")
        whole["metadata"] = {
            **whole.get("metadata", {}),
            **{key: old[key] for key in new},
            "name": place.name,
            "namespace": place.namespace,
            "generation": old["generation"] + (not is_as_before),
            "resourceVersion": str(number),
        }
        self.objects[place] = whole


def _read(path: str) -> tuple[Place, str]:
    """What a path is of, and which part of it."""
    parts = path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    namespace = ""
    if rest[0] == "namespaces":
        _, namespace, *rest = rest
    resource, name, part = [*rest, "", ""][:3]
    return Place(group, resource, namespace, name), part


def _is_in(at: Place, asked: Place) -> bool:
    """A list without a namespace is of all."""
    return at[:2] == asked[:2] and asked.namespace in ("", at.namespace)


def _patched(found: Object, patch: Any) -> Object:
    """By JSON Patch, or by a merge; what is applied on the server is merged like that here."""
    whole = copy.deepcopy(found)
    if isinstance(patch, dict):
        merge(whole, patch)
        return whole
    for one in patch:
        assert one["op"] == "add", "no other operation is sent"
        target: Any = whole
        *way, last = one["path"].strip("/").split("/")
        for step in way:
            target = target[int(step) if isinstance(target, list) else step]
        target[last] = one["value"]
    return whole


def merge(target: Object, patch: Object) -> None:
    """Change an object by a JSON merge patch."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            merge(target.setdefault(key, {}), value)
        else:
            target[key] = copy.deepcopy(value)


def _refusal(status: int) -> tuple[int, Any]:
    return status, {"message": HTTPStatus(status).phrase, "code": status}


@pytest.fixture
def api_server() -> Iterator[ApiServer]:
    """An API server that has nothing yet."""
    found = ApiServer()

    def answer(request: Request) -> tuple[int, bytes]:
        status, said = found.answer(
            request.method, request.path, json.loads(request.body) if request.body else None
        )
        return status, json.dumps(said).encode()

    with answering(answer) as port:
        found.url = f"http://127.0.0.1:{port}"
        yield found


@pytest.fixture
def connection(api_server: ApiServer) -> Iterator[client.ApiClient]:
    """To the API server."""
    settings = client.Configuration(host=api_server.url)
    settings.retries = False
    with client.ApiClient(settings) as found:
        yield found
