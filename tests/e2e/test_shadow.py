"""The request log of a real InferenceService, through a Broker, is compared with a second one's answers."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SHADOW = "../observability/shadow/manifests"
BROKER = ROOT / "observability" / "drift_detector" / "manifests" / "broker" / "broker.yaml"
PATH = "/v2/models/bert-ner/infer"
PEOPLE = ("Angela Merkel", "Barack Obama", "Marie Curie")
PLACES = ("Berlin", "Paris", "London", "Vienna", "Warsaw")
TEXTS = [f"{who} met {whom} in {place}." for who in PEOPLE for whom in PEOPLE for place in PLACES]

# The model in the image, with the names of persons and organisations exchanged.
OTHER_MODEL = """
import json, os, pathlib, shutil
folder = shutil.copytree("/mnt/models", "/tmp/model")
path = pathlib.Path(folder) / "config.json"
config = json.loads(path.read_text())
turned = {"PER": "ORG", "ORG": "PER"}
names = {key: name[:2] + turned.get(name[2:], name[2:]) for key, name in config["id2label"].items()}
config.update(id2label=names, label2id={name: int(key) for key, name in names.items()})
path.write_text(json.dumps(config))
command = ["python", "-m", "bert_ner", "--model_name=bert-ner", f"--model_dir={folder}"]
os.execvp(command[0], command)
"""


class Shadow:
    """The shadow in the cluster, as people ask it."""

    def __init__(self, namespace: Any, wait_for: Callable[..., Any]) -> None:
        self._namespace, self._wait_for = namespace, wait_for

    @contextmanager
    def asked(self) -> Iterator[httpx.Client]:
        """Its pages, on a port of this machine."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        command = ["kubectl", "port-forward", f"--namespace={self._namespace.name}", "service/shadow"]
        with subprocess.Popen(
            [*command, f"{port}:80"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            assert "Forwarding" in process.stdout.readline()
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                    yield client
            finally:
                process.terminate()

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


@pytest.fixture(scope="module")
def primary(namespace: Any, sample_predictor: Callable[[str], dict[str, Any]]) -> str:
    """The address of the NER sample, whose log goes to the Broker."""
    namespace.kubectl("apply", f"--filename={BROKER}")
    namespace.wait_ready("broker", "default")
    kustomization = sample_predictor("bert-ner")
    url = f"http://broker-ingress.knative-eventing.svc.cluster.local/{namespace.name}/default"
    logger = {"op": "add", "path": "/spec/predictor/logger", "value": {"mode": "all", "url": url}}
    kustomization["patches"].append({"patch": json.dumps([logger]), "target": {"kind": "InferenceService"}})
    namespace.apply(kustomization)
    address: str = namespace.predictor_url("bert-ner")
    return address


@pytest.fixture(scope="module")
def shadow(namespace: Any, primary: str, wait_for: Callable[..., Any]) -> Shadow:
    """The Deployment with its Triggers, at a rate that no test comes near."""
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
            "resources": [f"{SHADOW}/deployment"],
            "components": [f"{SHADOW}/triggers"],
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


@pytest.fixture(scope="module")
def candidate(namespace: Any, primary: str) -> Callable[..., None]:
    """Deploys a second InferenceService like the first, its log to the Broker too."""

    def deploy(program: str | None = None) -> None:
        predictor = namespace.get("inferenceservice", "bert-ner")["spec"]["predictor"]
        container = predictor["containers"][0]
        if program is not None:
            container.pop("args")
            container["command"] = ["python", "-c", program]
            container["securityContext"]["readOnlyRootFilesystem"] = False
        service = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "bert-ner-candidate"},
            "spec": {"predictor": predictor},
        }
        namespace.kubectl(
            "apply", "--server-side", "--force-conflicts", "--filename=-", stdin=json.dumps(service)
        )
        namespace.wait_ready("inferenceservice", "bert-ner-candidate")

    return deploy


def call(namespace: Any, url: str) -> None:
    """Ask the first service about each text."""
    headers = namespace.gateway.headers(url)
    with httpx.Client(timeout=60, headers=headers) as client:
        for text in TEXTS:
            tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": [text]}
            answer = client.post(namespace.gateway.url(PATH), json={"inputs": [tensor]})
            assert answer.status_code == 200, answer.text


def compared(found: dict[str, Any]) -> int:
    return sum(found["calls"].values())


def test_the_same_model_agrees(
    primary: str, shadow: Shadow, candidate: Callable[..., None], namespace: Any
) -> None:
    candidate()
    shadow.begin("bert-ner-candidate-predictor")
    call(namespace, primary)
    found = shadow.wait(lambda found: compared(found) == len(TEXTS))
    assert found["calls"] == {"agreed": len(TEXTS)}
    assert found["verdict"] == "agrees"
    assert found["f1"]["estimate"] == 1.0
    assert found["entities"]["both"] > len(TEXTS)
    assert found["score_distance"]["estimate"] == pytest.approx(0, abs=1e-4)
    assert found["logged_latency"]["p50_seconds"] > 0
    assert found["replayed_latency"]["p50_seconds"] > 0
    (logged,), (replayed,) = found["logged_by"], found["replayed_by"]
    assert logged["revision"].startswith("bert-ner-predictor-")
    assert replayed["revision"].startswith("bert-ner-candidate-predictor-")
    with shadow.asked() as client:
        assert "The shadow agrees" in client.get("/report").text
        assert "modelserve_shadow_entity_f1{" in client.get("/metrics").text


def test_another_model_disagrees(
    primary: str, shadow: Shadow, candidate: Callable[..., None], namespace: Any
) -> None:
    candidate(OTHER_MODEL)
    shadow.begin("bert-ner-candidate-predictor")
    call(namespace, primary)
    found = shadow.wait(lambda found: compared(found) == len(TEXTS))
    assert found["verdict"] == "disagrees"
    assert found["calls"]["disagreed"] > 0.9 * len(TEXTS)
    assert found["f1"]["estimate"] < 0.7
    example = found["examples"][0]
    assert example["text"] in TEXTS
    assert {finding["name"][:3] for finding in example["replayed"] if finding["differs"]} <= {"ORG", "PER"}


def test_a_service_compared_with_itself_does_not_go_round(
    primary: str, shadow: Shadow, namespace: Any
) -> None:
    """Its agent logs the replays as calls of its own, and keeps the id that they came with."""
    shadow.begin("bert-ner-predictor")
    call(namespace, primary)
    found = shadow.wait(lambda found: found["events"].get("replay") == 2 * len(TEXTS))
    assert found["calls"] == {"agreed": len(TEXTS)}
    assert found["events"] == {"paired": 2 * len(TEXTS), "replay": 2 * len(TEXTS)}


def test_callers_do_not_notice_that_the_candidate_is_killed(
    primary: str, shadow: Shadow, candidate: Callable[..., None], namespace: Any
) -> None:
    candidate()
    shadow.begin("bert-ner-candidate-predictor")
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": [TEXTS[0]]}
    with namespace.load(primary, PATH, {"inputs": [tensor]}) as load:
        shadow.wait(lambda found: found["calls"].get("agreed", 0) > 20)
        pods = "serving.knative.dev/service=bert-ner-candidate-predictor"
        namespace.kubectl("delete", "inferenceservice", "bert-ner-candidate", "--wait=false")
        namespace.kubectl("delete", "pods", f"--selector={pods}", "--force", "--grace-period=0")

        def failed(found: dict[str, Any]) -> int:
            return sum(count for outcome, count in found["calls"].items() if outcome.startswith("failed_"))

        shadow.wait(lambda found: failed(found) > 20)
    assert load.failures == {}
    assert load.outcomes["200"] > 50
