"""Rollouts on a cluster: a model that can be told to have a fault, its callers, and a Prometheus.

A plugin, as several modules of tests use it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheuses import PrometheusProcess, running_prometheus

MODEL = "bert-ner"
PATH = f"/v2/models/{MODEL}/infer"
TEXTS = [
    "Merkel met Obama in Berlin.",
    "Siemens and Airbus are in Munich.",
    "The German team won in Paris against Real Madrid.",
    "Nothing of note was said.",
]
IMAGE, TAG = "dev.local/faulty-ner", "dev"

# Quick steps and clear faults, so that a test takes minutes: a real plan has more of all of it.
QUICK_POLICY: dict[str, Any] = {
    "steps": [
        {"percent": 30, "leastSeconds": 10, "mostSeconds": 240},
        {"percent": 60, "leastSeconds": 10, "mostSeconds": 240},
    ],
    "lookSeconds": 2,
    "readySeconds": 240,
    "warmUp": {"seconds": 3, "requests": 5},
    "checks": {
        "errors": {"tolerated": 0.005, "limit": 0.04},
        "latency": [{"quantile": 0.5, "tolerated": 1.5, "limit": 4.0}],
        "labels": {"tolerated": 0.05, "limit": 0.2},
        "disabled": ["confidence"],
    },
}


@pytest.fixture(scope="session")
def own_address(gateway: Any) -> str:
    """This machine's, as the cluster's pods reach it."""
    path = "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}"
    asked = ["kubectl", "get", "nodes", f"--output={path}"]
    node = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect((node, 9))
        address: str = way.getsockname()[0]
        return address


@pytest.fixture(scope="module")
def prometheus(
    namespace: Any, own_address: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusProcess]:
    """A Prometheus beside the cluster that knows the pods of the namespace."""
    folder = tmp_path_factory.mktemp("prometheus")
    # Debian's Prometheus does not ask Kubernetes: it is told of the pods in a file.
    targets = {"files": [f"{folder}/pods.json"], "refresh_interval": "1s"}
    ended = threading.Event()
    finding = threading.Thread(target=_find_pods, args=(namespace, folder / "pods.json", ended))
    finding.start()
    scrape = {"job_name": "models", "file_sd_configs": [targets]}
    with running_prometheus(folder, scrape, own_address) as found:
        yield found
    ended.set()
    finding.join()


def _find_pods(namespace: Any, path: Path, ended: threading.Event) -> None:
    """Write down every second where the pods' metrics are."""
    while not ended.wait(1.0):
        # A test may have the API server away.
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            found = [
                {
                    "targets": [f"{pod['status']['podIP']}:8080"],
                    "labels": {"namespace": namespace.name, "pod": pod["metadata"]["name"]},
                }
                for pod in namespace.list("pod")
                if pod["status"].get("podIP") and "deletionTimestamp" not in pod["metadata"]
            ]
            whole = path.with_suffix(".new")
            whole.write_text(json.dumps(found))
            whole.replace(path)


@dataclass(frozen=True)
class FaultyModel:
    """An InferenceService whose revisions have the faults that they are told to have.

    Attributes:
        namespace: that it is in.
        url: of its predictor.
        texts: that its callers send.
    """

    namespace: Any
    url: str
    texts = tuple(TEXTS)

    def bring(self, fault: str, *, share: int | None = None, manager: str = "canary") -> None:
        """A new revision with a fault, and a share of the calls in the same change where one is given."""
        container = "/spec/predictor/containers/0"
        args = [f"--model_name={MODEL}", "--model_dir=/mnt/models", "--log_format=json"]
        if fault == "crash":
            args.append("--nosuch=1")
        # The time makes a revision of the same fault a new one.
        env = [{"name": "FAULT", "value": fault}, {"name": "BROUGHT", "value": str(time.time())}]
        operations = [
            {"op": "add", "path": f"{container}/env", "value": env},
            {"op": "add", "path": f"{container}/args", "value": args},
        ]
        if share is not None:
            operations.append({"op": "add", "path": "/spec/predictor/canaryTrafficPercent", "value": share})
        command = ("patch", "inferenceservice", MODEL, "--type=json", f"--patch={json.dumps(operations)}")
        self.namespace.kubectl(*command, f"--field-manager={manager}")

    def revisions(self) -> tuple[str, str]:
        """The one with the calls that are no canary's, and the newest one."""
        predictor = self.namespace.get("inferenceservice", MODEL)["status"]["components"]["predictor"]
        return predictor["latestRolledoutRevision"], predictor["latestCreatedRevision"]

    @contextlib.contextmanager
    def callers(self, *, number: int = 4) -> Iterator[list[tuple[str, int]]]:
        """Call with different texts while the body runs; the revision and the status of every answer."""
        answers: list[tuple[str, int]] = []
        ended = threading.Event()
        gateway = self.namespace.gateway

        def call(place: int) -> None:
            with httpx.Client(timeout=60, headers=gateway.headers(self.url)) as client:
                for count in range(place, 10**9):
                    if ended.is_set():
                        return
                    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": [TEXTS[count % 4]]}
                    answer = client.post(gateway.url(PATH), json={"inputs": [tensor]})
                    revision = answer.json().get("parameters", {}).get("revision", "")
                    answers.append((revision, answer.status_code))
                    time.sleep(0.01)

        threads = [threading.Thread(target=call, args=(place,)) for place in range(number)]
        for thread in threads:
            thread.start()
        try:
            yield answers
        finally:
            ended.set()
            for thread in threads:
                thread.join()


@pytest.fixture(scope="session")
def faulty_predictor(sample_predictor: Callable[[str], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """A kustomization of the model that can be told to have a fault."""

    def kustomization() -> dict[str, Any]:
        images = [{"name": f"modelserve/{MODEL}", "newName": IMAGE, "newTag": TAG}]
        return {**sample_predictor(MODEL), "images": images}

    return kustomization


@pytest.fixture(scope="module")
def faulty_model(namespace: Any, faulty_predictor: Callable[[], dict[str, Any]]) -> FaultyModel:
    """A model without a fault, so far."""
    namespace.apply(faulty_predictor())
    return FaultyModel(namespace, namespace.predictor_url(MODEL))


@pytest.fixture(scope="module")
def callers_of(namespace: Any) -> Callable[[str], FaultyModel]:
    """The model at an address, brought by whatever."""
    return lambda url: FaultyModel(namespace, url)


@pytest.fixture(scope="session")
def quick_policy() -> dict[str, Any]:
    """Steps and checks of a canary that takes a minute."""
    return QUICK_POLICY
