"""The drift detector on a cluster, with small windows, and a Broker before it where there is one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
MANIFESTS = "../observability/drift_detector/manifests"
WINDOW = 100


@contextmanager
def forwarded(namespace: str, service: str, service_port: int = 80) -> Iterator[str]:
    """The address on this machine of a Service in the cluster."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [
        "kubectl",
        "port-forward",
        f"--namespace={namespace}",
        f"service/{service}",
        f"{port}:{service_port}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        assert "Forwarding" in process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


class Detector:
    """The detector in the cluster, as people ask it.

    Attributes:
        namespace: that it is in.
        has_broker: whether there is a Broker before it.
        address: to which a request log is sent straight.
        window: samples in one.
    """

    window = WINDOW

    def __init__(self, namespace: Any, wait_for: Callable[..., Any], *, has_broker: bool) -> None:
        self.namespace, self._wait_for, self.has_broker = namespace, wait_for, has_broker
        self.address = f"http://drift-detector.{namespace.name}.svc.cluster.local/"

    def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        with forwarded(self.namespace.name, "drift-detector") as url:
            return httpx.request(method, f"{url}{path}", timeout=60, **arguments)

    def run(self, program: str, *, check: bool = True) -> str:
        """Run Python beside it, in its container."""
        command = ["exec", "deployment/drift-detector", "--container=drift-detector", "--", "python", "-c"]
        said: str = self.namespace.kubectl(*command, program, check=check)
        return said

    def verdicts(self, service: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", "/verdicts").raise_for_status().json()
        return [
            one for one in found if one["source"]["service"] == service and one["baseline"] == "reference"
        ]

    def wait_verdicts(self, service: str, number: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._wait_for(
            lambda: (verdicts := self.verdicts(service)) and len(verdicts) >= number and verdicts,
            seconds=90,
            said=lambda: self.ask("GET", "/metrics").text,
        )
        return found

    def events(self) -> dict[str, float]:
        text = self.ask("GET", "/metrics").text
        lines = [line for line in text.splitlines() if line.startswith("modelserve_drift_events_total")]
        return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in lines}

    def learn(self, url: str, model: str, samples: Sequence[str | bytes], folder: Path) -> None:
        """Make a reference by ``modelserve drift reference`` over the gateway, and take it."""
        if isinstance(samples[0], str):
            (folder / "texts.txt").write_text("\n".join(map(str, samples)), "utf-8")
            given = ["--text_file", str(folder / "texts.txt")]
        else:
            for place, image in enumerate(samples):
                (folder / f"{place:05}.jpg").write_bytes(image)  # type: ignore[arg-type]
            given = ["--image", str(folder)]
        gateway = self.namespace.gateway
        command = [sys.executable, "-m", "modelserve.cli", "drift", "reference", f"--model={model}"]
        command += [f"--model_dir={ROOT / 'samples' / model}", f"--url={gateway.url('')}"]
        command += [f"--host_header={gateway.headers(url)['Host']}", f"--output={folder / 'reference.zip'}"]
        done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        answer = self.ask("PUT", "/references", content=(folder / "reference.zip").read_bytes())
        assert answer.status_code == 201, answer.text
        self.wait_settled()

    def wait_settled(self) -> None:
        """Until what was sent is worked off."""
        seen: list[dict[str, float]] = [{}]

        def is_still() -> bool:
            seen.append(self.events())
            time.sleep(2)
            return seen[-1] == seen[-2]

        self._wait_for(is_still, seconds=60)


@pytest.fixture(scope="module")
def detector(namespace: Any, wait_for: Callable[..., Any]) -> Detector:
    """The Deployment, with its state in the pod instead of on a claim, and a Broker before it."""
    kinds = namespace.kubectl("get", "customresourcedefinitions", "--output=name")
    has_broker = "brokers.eventing.knative.dev" in kinds
    operations = [
        {
            "op": "replace",
            "path": "/spec/template/spec/volumes/0",
            "value": {"name": "state", "emptyDir": {}},
        },
        # Else it is process 1, which nothing in its container can kill.
        {"op": "add", "path": "/spec/template/spec/shareProcessNamespace", "value": True},
        {
            "op": "add",
            "path": "/spec/template/spec/containers/0/args/-",
            "value": f"--window_samples={WINDOW}",
        },
        {
            "op": "replace",
            "path": "/spec/template/spec/containers/0/resources/requests",
            "value": {"cpu": "50m", "memory": "256Mi"},
        },
    ]
    namespace.apply(
        {
            "resources": [f"{MANIFESTS}/deployment"],
            "components": [f"{MANIFESTS}/broker"] if has_broker else [],
            "images": [
                {"name": "modelserve/drift-detector", "newName": "dev.local/drift-detector", "newTag": "dev"}
            ],
            "patches": [{"patch": json.dumps(operations), "target": {"kind": "Deployment"}}],
        }
    )
    namespace.kubectl("rollout", "status", "deployment/drift-detector", "--timeout=180s")
    return Detector(namespace, wait_for, has_broker=has_broker)
