"""The request log of a real InferenceService, through a Broker, is compared with a second one's answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from confinement import assert_confined
from shadows import Shadow, deploy_candidate, deploy_shadow

ROOT = Path(__file__).parents[2]
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


@pytest.fixture(scope="module")
def primary(namespace: Any, sample_predictor: Callable[[str], dict[str, Any]]) -> str:
    """The address of the NER sample, whose log goes to the Broker."""
    namespace.kubectl("apply", f"--filename={BROKER}")
    namespace.wait_ready("broker", "default")
    kustomization = sample_predictor("bert-ner")
    logger = {
        "op": "add",
        "path": "/spec/predictor/logger",
        "value": {"mode": "all", "url": namespace.broker_url},
    }
    kustomization["patches"].append({"patch": json.dumps([logger]), "target": {"kind": "InferenceService"}})
    namespace.apply(kustomization)
    address: str = namespace.predictor_url("bert-ner")
    return address


@pytest.fixture(scope="module")
def shadow(namespace: Any, primary: str, wait_for: Callable[..., Any]) -> Shadow:
    """The shadow, and nothing to compare with yet."""
    return deploy_shadow(namespace, wait_for)


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
        deploy_candidate(namespace, predictor)

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


def test_the_shadow_runs_without_privileges(shadow: Shadow, namespace: Any) -> None:
    assert_confined(namespace, "shadow")


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
