"""Namespaces of a cluster, what is done in them by ``kubectl``, and calls of what they serve."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

SHELF = Path(__file__).parents[2] / "inferenceservices"

ResultT = TypeVar("ResultT")


def wait_for(
    what: Callable[[], ResultT | None], *, seconds: float, said: Callable[[], object] | None = None
) -> ResultT:
    """Ask until there is an answer; the test fails with what ``said`` tells when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {said() if said else what}")
        time.sleep(0.5)
    return found


@dataclass(frozen=True)
class Gateway:
    """The way in from outside: Knative's ingress, which tells services by their host names."""

    host: str
    port: int

    def url(self, path: str) -> str:
        return f"http://{self.host}:{self.port}{path}"

    @staticmethod
    def headers(service_url: str, **more: str) -> dict[str, str]:
        return {"Host": urlsplit(service_url).netloc, **more}

    def post(self, service_url: str, path: str, *, timeout: float = 60, **arguments: Any) -> httpx.Response:
        headers = self.headers(service_url, **arguments.pop("headers", {}))
        return httpx.post(self.url(path), headers=headers, timeout=timeout, **arguments)

    def get(self, service_url: str, path: str) -> httpx.Response:
        return httpx.get(self.url(path), headers=self.headers(service_url), timeout=60)


@dataclass
class Load:
    """Calls one after another, beside the test."""

    outcomes: Counter[str] = field(default_factory=Counter)
    revisions: Counter[str] = field(default_factory=Counter)

    @property
    def failures(self) -> dict[str, int]:
        return {name: count for name, count in self.outcomes.items() if name != "200"}


@dataclass(frozen=True)
class Namespace:
    """A namespace of the cluster, and what is done in it by ``kubectl``."""

    name: str
    gateway: Gateway
    scratch: Path

    @property
    def broker_url(self) -> str:
        """Of the Broker ``default``, where the cluster has Knative Eventing."""
        return f"http://broker-ingress.knative-eventing.svc.cluster.local/{self.name}/default"

    @contextmanager
    def made(self, *, is_waited_for: bool = False) -> Iterator[Namespace]:
        """Make it, and delete it when the block ends; what an earlier run left of it goes first.

        Args:
            is_waited_for: whether the block's end waits until it is gone.
        """
        self.kubectl("delete", "namespace", self.name, "--ignore-not-found", "--timeout=180s")
        self.kubectl("create", "namespace", self.name)
        try:
            yield self
        finally:
            wait = "--timeout=180s" if is_waited_for else "--wait=false"
            self.kubectl("delete", "namespace", self.name, wait)

    def beside(self, name: str) -> Namespace:
        """Another one of the cluster."""
        return replace(self, name=name)

    def _run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", "--namespace", self.name, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """What the command prints; unless it need not succeed, it is tried again while a webhook is away.

        A controller that a test took away, or that lost its lease while a test held the API server still,
        serves its webhook again some seconds later than its pod is ready, which may be in the next test.
        """
        done = self._run(*arguments, stdin=stdin)

        def answered() -> bool:
            nonlocal done
            if "failed calling webhook" in done.stderr:
                done = self._run(*arguments, stdin=stdin)
            return "failed calling webhook" not in done.stderr

        if check:
            wait_for(answered, seconds=120, said=lambda: done.stderr)
            assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "--output=json"))
        return found

    def list(self, kind: str, *selector: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, *selector, "--output=json"))[
            "items"
        ]
        return found

    def apply(self, kustomization: dict[str, Any]) -> None:
        """Build a kustomization, whose paths begin at ``inferenceservices``, and apply it."""
        folder = self.scratch / self.name
        folder.mkdir(exist_ok=True)
        shelf = Path(os.path.relpath(SHELF, folder.resolve()))
        whole = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": self.name,
            **kustomization,
        }
        for key in ("resources", "components"):
            whole[key] = [str(shelf / path) for path in whole.get(key, [])]
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(whole))
        self.kubectl("apply", "--server-side", "--kustomize", str(folder))

    def patch(self, kind: str, name: str, *operations: dict[str, Any]) -> None:
        self.kubectl("patch", kind, name, "--type=json", f"--patch={json.dumps(operations)}")

    def wait_ready(self, kind: str, name: str, *, seconds: float = 300) -> dict[str, Any]:
        """The object, once it is Ready as it was last changed."""

        def ready() -> dict[str, Any] | None:
            found = self.get(kind, name)
            status = found.get("status", {})
            conditions = {one["type"]: one["status"] for one in status.get("conditions", [])}
            if kind == "inferenceservice":
                # Its observedGeneration is that of a Knative Service below it, and its Ready does not wait
                # for what has been changed a moment ago, nor for the addresses.
                components = status.get("components", {}).values()
                is_current = all(
                    "url" in one and one.get("latestReadyRevision") == one["latestCreatedRevision"]
                    for one in components
                )
            else:
                is_current = status.get("observedGeneration") == found["metadata"]["generation"]
            return found if is_current and conditions.get("Ready") == "True" else None

        if kind == "inferenceservice":
            time.sleep(3)
        return wait_for(ready, seconds=seconds, said=lambda: self.story(kind, name))

    def predictor_url(self, name: str) -> str:
        """The address of an InferenceService's predictor, once it is ready."""
        found = self.wait_ready("inferenceservice", name)
        url: str = found["status"]["components"]["predictor"]["url"]
        return url

    def story(self, kind: str, name: str) -> str:
        """What a person would look at when it does not become ready."""
        conditions = self.get(kind, name).get("status", {}).get("conditions")
        pods = self.kubectl("get", "pods", check=False)
        events = self.kubectl("get", "events", "--sort-by=.lastTimestamp", check=False)[-2000:]
        return f"{name}: {json.dumps(conditions, indent=1)}\n{pods}\n{events}"

    @contextmanager
    def load(self, service_url: str, path: str, body: dict[str, Any], *, callers: int = 2) -> Iterator[Load]:
        """Call a V2 model over and over while the body of the ``with`` runs."""
        load, ended = Load(), threading.Event()

        def call() -> None:
            headers = self.gateway.headers(service_url)
            with httpx.Client(timeout=60, headers=headers) as client:
                while not ended.is_set():
                    try:
                        answer = client.post(self.gateway.url(path), json=body)
                    except httpx.HTTPError as error:
                        load.outcomes[type(error).__name__] += 1
                        continue
                    load.outcomes[str(answer.status_code)] += 1
                    if answer.status_code == 200:
                        load.revisions[answer.json()["parameters"]["revision"]] += 1

        threads = [threading.Thread(target=call) for _ in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield load
        finally:
            ended.set()
            for thread in threads:
                thread.join()
