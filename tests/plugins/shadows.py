"""The shadow comparison on a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import yaml
from detectors import forwarded

MANIFESTS = "../observability/shadow/manifests"


class Shadow:
    """The shadow in the cluster, as people ask it."""

    def __init__(self, namespace: Any, wait_for: Callable[..., Any]) -> None:
        self._namespace, self._wait_for = namespace, wait_for

    @contextmanager
    def asked(self) -> Iterator[httpx.Client]:
        """Its pages, on a port of this machine."""
        with (
            forwarded(self._namespace.name, "shadow") as url,
            httpx.Client(base_url=url, timeout=60) as client,
        ):
            yield client

    def results(self) -> dict[str, Any]:
        with self.asked() as client:
            found: dict[str, Any] = client.get("/results").raise_for_status().json()
            return found

    def wait(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The results, once they are as the test wants them."""
        seen: list[dict[str, Any]] = []

        def look() -> dict[str, Any] | None:
            seen.append(self.results())
            return seen[-1] if is_so(seen[-1]) else None

        found: dict[str, Any] = self._wait_for(
            look, seconds=90, said=lambda: (seen[-1]["calls"], seen[-1]["events"])
        )
        return found

    def begin(self, candidate: str) -> None:
        """Begin a comparison with a server of the namespace."""
        url = f"http://{candidate}.$(NAMESPACE)"
        container = "/spec/template/spec/containers/0"
        self._namespace.patch(
            "deployment",
            "shadow",
            {"op": "replace", "path": f"{container}/args/5", "value": f"--to={url}"},
            {
                "op": "add",
                "path": "/spec/template/metadata/annotations/begun",
                "value": f"{self._namespace.get('deployment', 'shadow')['metadata']['generation']}",
            },
        )
        self._namespace.kubectl("rollout", "status", "deployment/shadow", "--timeout=180s")


def deploy_candidate(namespace: Any, predictor: dict[str, Any]) -> None:
    """A second InferenceService beside the first, with a predictor of its own."""
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        # By this its metrics are found.
        "metadata": {"name": "bert-ner-candidate", "labels": {"app.kubernetes.io/part-of": "modelserve"}},
        "spec": {"predictor": predictor},
    }
    namespace.kubectl(
        "apply", "--server-side", "--force-conflicts", "--filename=-", stdin=json.dumps(service)
    )
    namespace.wait_ready("inferenceservice", "bert-ner-candidate")


def deploy_shadow(namespace: Any, wait_for: Callable[..., Any]) -> Shadow:
    """The Deployment with its Triggers, at a rate that no test comes near; a Broker is there already."""
    container = "/spec/template/spec/containers/0"
    operations = [
        {"op": "add", "path": f"{container}/args/-", "value": "--rate=200"},
        {"op": "add", "path": f"{container}/args/-", "value": "--at_once=32"},
        {"op": "add", "path": f"{container}/args/-", "value": "--limit=0.2"},
        {
            "op": "replace",
            "path": f"{container}/resources/requests",
            "value": {"cpu": "50m", "memory": "256Mi"},
        },
    ]
    namespace.apply(
        {
            "resources": [f"{MANIFESTS}/deployment"],
            "components": [f"{MANIFESTS}/triggers"],
            "images": [
                {"name": "modelserve/drift-detector", "newName": "dev.local/drift-detector", "newTag": "dev"}
            ],
            "patches": [{"patch": yaml.safe_dump(operations), "target": {"kind": "Deployment"}}],
        }
    )
    namespace.kubectl("rollout", "status", "deployment/shadow", "--timeout=180s")
    for name in ("shadow-requests", "shadow-responses"):
        namespace.wait_ready("trigger", name)
    return Shadow(namespace, wait_for)
