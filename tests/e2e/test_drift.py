"""The request log of a real InferenceService feeds the detector, straight and through a Broker."""

from __future__ import annotations

import io
import json
import os
import random
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]
from PIL import Image, ImageFilter

ROOT = Path(__file__).parents[2]
MANIFESTS = "../observability/drift_detector/manifests"
WINDOW = 100
GERMAN = [
    f"{who} {what}{why}."
    for who in ("Die Kanzlerin", "Der Präsident", "Frau Müller aus Köln", "Mein Nachbar", "Die Ministerin")
    for what in (
        "hat gestern in Hamburg eine Rede gehalten",
        "ist am Montag mit dem Zug nach Wien gefahren",
        "wohnt seit vielen Jahren in der Nähe von Zürich",
        "wurde in Leipzig mit einem Preis geehrt",
    )
    for why in (
        "",
        " und war sehr zufrieden",
        ", obwohl es den ganzen Tag geregnet hat",
        " und traf dort alte Freunde",
        ", weil die Arbeit es verlangte",
        ", wie die Zeitung heute schreibt",
        " und bleibt noch eine Woche",
        ", aber niemand hat es bemerkt",
        " und kommt morgen zurück",
        ", was alle gefreut hat",
    )
]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Sentences that the model was made for, in no order."""
    data = os.environ.get("MODELSERVE_DATA")
    if data is None:
        pytest.skip("MODELSERVE_DATA names no corpora")
    found: list[str] = []
    for name in ("wikigold.conll", "btc.conll"):
        words: list[str] = []
        for line in (Path(data) / "ner" / name).read_text("utf-8").splitlines():
            if line.split():
                words.append(line.split()[0])
            elif words:
                found.append(" ".join(words))
                words = []
    random.Random(7).shuffle(found)
    return found[:3000]


@pytest.fixture(scope="module")
def images() -> list[bytes]:
    """Photographs of the classes that the model knows, that it never saw."""
    with zipfile.ZipFile(Path(os.environ["MODELSERVE_DATA"]) / "cifar10.zip") as archive:
        names = sorted(name for name in archive.namelist() if "test/" in name and name.endswith(".jpg"))
        random.Random(7).shuffle(names)
        return [archive.read(name) for name in names[:1300]]


@contextmanager
def forwarded(namespace: str, service: str) -> Iterator[str]:
    """The address on this machine of a Service in the cluster."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = ["kubectl", "port-forward", f"--namespace={namespace}", f"service/{service}", f"{port}:80"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        assert "Forwarding" in process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


KILL = """
import os, pathlib
for process in pathlib.Path("/proc").glob("[0-9]*"):
    words = (process / "cmdline").read_bytes().split(b"\\0")
    if b"drift_detector" in words and int(process.name) != os.getpid():
        os.kill(int(process.name), 9)
"""
COUNT = """
import sqlite3
from modelserve.drift.table import Table
store = sqlite3.connect("/var/lib/modelserve/drift.db")
(calls,) = store.execute("SELECT count(*) FROM modelserve_drift_calls").fetchone()
(closed,) = store.execute("SELECT sum(samples) FROM modelserve_drift_windows WHERE NOT is_open").fetchone()
parts = store.execute("SELECT features FROM modelserve_drift_parts")
print(calls, (closed or 0) + sum(Table.from_bytes(features).size for features, in parts))
"""


class Detector:
    """The detector in the cluster, as people ask it."""

    def __init__(self, namespace: Any, wait_for: Callable[..., Any]) -> None:
        self.namespace, self._wait_for = namespace, wait_for

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


@pytest.fixture(scope="module")
def detector(namespace: Any, wait_for: Callable[..., Any]) -> Detector:
    """The Deployment, with its state in the pod instead of on a claim, and a Broker before it."""
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
            "components": [f"{MANIFESTS}/broker"] if has_brokers(namespace) else [],
            "images": [
                {"name": "modelserve/drift-detector", "newName": "dev.local/drift-detector", "newTag": "dev"}
            ],
            "patches": [{"patch": json.dumps(operations), "target": {"kind": "Deployment"}}],
        }
    )
    namespace.kubectl("rollout", "status", "deployment/drift-detector", "--timeout=180s")
    return Detector(namespace, wait_for)


def has_brokers(namespace: Any) -> bool:
    return "brokers.eventing.knative.dev" in namespace.kubectl(
        "get", "customresourcedefinitions", "--output=name"
    )


@pytest.fixture(scope="module")
def deploy(
    namespace: Any, detector: Detector, sample_predictor: Callable[[str], dict[str, Any]]
) -> Callable[[str, str], str]:
    """Deploys a sample whose log goes to a URL, and gives its address."""

    def deployed(model: str, log_url: str) -> str:
        kustomization = sample_predictor(model)
        logger = {"op": "add", "path": "/spec/predictor/logger", "value": {"mode": "all", "url": log_url}}
        kustomization["patches"].append(
            {"patch": json.dumps([logger]), "target": {"kind": "InferenceService"}}
        )
        # REST, which alone is logged; the overlay's image classifier is for gRPC.
        container = "/spec/predictor/containers/0"
        probe = {"httpGet": {"path": "/v2/health/ready", "port": 8080}}
        operations = [
            {
                "op": "replace",
                "path": f"{container}/ports",
                "value": [{"name": "http1", "containerPort": 8080}],
            },
            {"op": "replace", "path": f"{container}/readinessProbe", "value": probe},
            {"op": "remove", "path": f"{container}/livenessProbe"},
        ]
        kustomization["patches"].append(
            {"patch": yaml.safe_dump(operations), "target": {"kind": "InferenceService", "name": model}}
        )
        namespace.apply(kustomization)
        found = namespace.wait_ready("inferenceservice", model)
        url: str = found["status"]["components"]["predictor"]["url"]
        return url

    return deployed


def straight(namespace: Any) -> str:
    return f"http://drift-detector.{namespace.name}.svc.cluster.local/"


def call(namespace: Any, url: str, model: str, items: Sequence[str | bytes]) -> list[float]:
    """Call with one text or image each, some at once, and give the latencies in seconds."""
    headers = namespace.gateway.headers(url)
    path = namespace.gateway.url(f"/v2/models/{model}/infer")

    def ask(item: str | bytes) -> float:
        began = time.perf_counter()
        if isinstance(item, str):
            tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": [item]}
            answer = client.post(path, json={"inputs": [tensor]})
        else:
            head = {
                "inputs": [
                    {
                        "name": "image",
                        "datatype": "BYTES",
                        "shape": [1],
                        "parameters": {"binary_data_size": len(item) + 4},
                    }
                ]
            }
            part = json.dumps(head).encode()
            answer = client.post(
                path,
                content=part + len(item).to_bytes(4, "little") + item,
                headers={"Inference-Header-Content-Length": str(len(part))},
            )
        assert answer.status_code == 200, answer.text
        return time.perf_counter() - began

    with httpx.Client(timeout=60, headers=headers) as client, ThreadPoolExecutor(4) as callers:
        return list(callers.map(ask, items))


def make_reference(
    detector: Detector, url: str, model: str, samples: Sequence[str | bytes], folder: Path
) -> None:
    """``modelserve drift reference`` over the gateway, and its file to the detector."""
    if isinstance(samples[0], str):
        (folder / "texts.txt").write_text("\n".join(map(str, samples)), "utf-8")
        given = ["--text_file", str(folder / "texts.txt")]
    else:
        for place, image in enumerate(samples):
            (folder / f"{place:05}.jpg").write_bytes(image)  # type: ignore[arg-type]
        given = ["--image", str(folder)]
    gateway = detector.namespace.gateway
    command = [sys.executable, "-m", "modelserve.cli", "drift", "reference", f"--model={model}"]
    command += [f"--model_dir={ROOT / 'samples' / model}", f"--url={gateway.url('')}"]
    command += [f"--host_header={gateway.headers(url)['Host']}", f"--output={folder / 'reference.zip'}"]
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = detector.ask("PUT", "/references", content=(folder / "reference.zip").read_bytes())
    assert answer.status_code == 201, answer.text


def wait_settled(detector: Detector, wait_for: Callable[..., Any]) -> None:
    """Until the detector has worked off what was sent."""
    seen: list[dict[str, float]] = [{}]

    def is_still() -> bool:
        seen.append(detector.events())
        time.sleep(2)
        return seen[-1] == seen[-2]

    wait_for(is_still, seconds=60)


@pytest.fixture(scope="module")
def names(
    deploy: Callable[[str, str], str],
    namespace: Any,
    detector: Detector,
    texts: list[str],
    tmp_path_factory: pytest.TempPathFactory,
    wait_for: Callable[..., Any],
) -> str:
    """The NER sample, its reference made, its log straight to the detector."""
    url = deploy("bert-ner", straight(namespace))
    make_reference(detector, url, "bert-ner", texts[:800], tmp_path_factory.mktemp("texts"))
    wait_settled(detector, wait_for)
    return url


def test_sentences_in_another_language_are_drift_and_ordinary_ones_are_not(
    names: str, namespace: Any, detector: Detector, texts: list[str]
) -> None:
    before = len(detector.verdicts("bert-ner"))
    call(namespace, names, "bert-ner", texts[800 : 800 + 5 * WINDOW])
    ordinary = detector.wait_verdicts("bert-ner", before + 5)[before:]
    assert not any(one["alarm"] for one in ordinary)
    assert sum(one["outcome"] == "drift" for one in ordinary) <= 1
    call(namespace, names, "bert-ner", GERMAN[: 2 * WINDOW])
    drifted = detector.wait_verdicts("bert-ner", before + 7)[before + 5 :]
    # The first window may hold a few sentences of before.
    assert drifted[-1]["outcome"] == "drift"
    assert drifted[-1]["features"][0]["feature"] == "language"
    assert drifted[-1]["alarm"]
    assert (
        'modelserve_drift_detected{baseline="reference",model="bert-ner"'
        in detector.ask("GET", "/metrics").text
    )
    page = detector.ask("GET", "/report").text
    assert "alarm" in page
    assert GERMAN[0].split()[0] in page


def test_the_detector_killed_and_back(
    names: str, namespace: Any, detector: Detector, texts: list[str], wait_for: Callable[..., Any]
) -> None:
    """Serving does not notice, and no event is counted twice."""
    wait_settled(detector, wait_for)
    sample = texts[1400:1600]
    usual = sorted(call(namespace, names, "bert-ner", sample))
    wait_settled(detector, wait_for)
    before = [int(number) for number in detector.run(COUNT).split()]
    detector.run(KILL)
    away = sorted(call(namespace, names, "bert-ner", sample))
    wait_for(lambda: detector.run(COUNT, check=False), seconds=120)
    namespace.kubectl("rollout", "status", "deployment/drift-detector", "--timeout=180s")
    # Not a measurement: a sink that is away must not cost the caller its time-out.
    assert away[len(away) // 2] < 2 * usual[len(usual) // 2] + 0.05
    call(namespace, names, "bert-ner", sample[:50])
    wait_settled(detector, wait_for)
    calls, samples = (
        int(number) - was for number, was in zip(detector.run(COUNT).split(), before, strict=True)
    )
    assert samples == calls, "each call, of one text, is in the windows once"
    assert 50 <= calls <= len(sample) + 50


def test_blurred_and_dark_images_are_drift(
    deploy: Callable[[str, str], str],
    namespace: Any,
    detector: Detector,
    images: list[bytes],
    tmp_path: Path,
    wait_for: Callable[..., Any],
) -> None:
    model = "resnet-classifier"
    url = deploy(model, straight(namespace))
    make_reference(detector, url, model, images[:800], tmp_path)
    wait_settled(detector, wait_for)
    before = len(detector.verdicts(model))
    call(namespace, url, model, images[800 : 800 + 3 * WINDOW])
    ordinary = detector.wait_verdicts(model, before + 3)[before:]
    assert not any(one["alarm"] for one in ordinary)
    for change, feature in ((blurred, "sharpness"), (darkened, "brightness")):
        before = len(detector.verdicts(model))
        call(namespace, url, model, [change(image) for image in images[800 : 800 + 2 * WINDOW]])
        last = detector.wait_verdicts(model, before + 2)[-1]
        assert last["alarm"]
        assert feature in [one["feature"] for one in last["features"] if one["drifted"]]


def blurred(image: bytes) -> bytes:
    return changed(image, lambda picture: picture.filter(ImageFilter.GaussianBlur(1.5)))


def darkened(image: bytes) -> bytes:
    return changed(image, lambda picture: picture.point(lambda value: value // 3))


def changed(image: bytes, change: Callable[[Image.Image], Image.Image]) -> bytes:
    stream = io.BytesIO()
    change(Image.open(io.BytesIO(image)).convert("RGB")).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def test_the_same_through_a_broker(
    deploy: Callable[[str, str], str],
    namespace: Any,
    detector: Detector,
    texts: list[str],
    tmp_path: Path,
    wait_for: Callable[..., Any],
) -> None:
    if not has_brokers(namespace):
        pytest.skip("the cluster has no Knative Eventing")
    for kind, name in (
        ("broker", "default"),
        ("trigger", "drift-detector-requests"),
        ("trigger", "drift-detector-responses"),
    ):
        namespace.wait_ready(kind, name)
    broker = f"http://broker-ingress.knative-eventing.svc.cluster.local/{namespace.name}/default"
    url = deploy("bert-ner", broker)
    make_reference(detector, url, "bert-ner", texts[:800], tmp_path)
    wait_settled(detector, wait_for)
    before = len(detector.verdicts("bert-ner"))
    call(namespace, url, "bert-ner", texts[1700 : 1700 + 2 * WINDOW])
    ordinary = detector.wait_verdicts("bert-ner", before + 2)[before:]
    assert not any(one["alarm"] for one in ordinary)
    call(namespace, url, "bert-ner", GERMAN[: 2 * WINDOW])
    assert detector.wait_verdicts("bert-ner", before + 4)[-1]["alarm"]
    assert detector.events().get("dropped", 0) == 0
