"""The request log of a real InferenceService feeds the detector, straight and through a Broker."""

from __future__ import annotations

import io
import json
import os
import random
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from confinement import assert_confined
from PIL import Image, ImageFilter

ROOT = Path(__file__).parents[2]
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


@pytest.fixture(scope="module")
def deploy(
    namespace: Any, detector: Any, sample_predictor: Callable[[str], dict[str, Any]]
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
        url: str = namespace.predictor_url(model)
        return url

    return deployed


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


@pytest.fixture(scope="module")
def names(
    deploy: Callable[[str, str], str],
    namespace: Any,
    detector: Any,
    texts: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """The NER sample, its reference made, its log straight to the detector."""
    url = deploy("bert-ner", detector.address)
    detector.learn(url, "bert-ner", texts[:800], tmp_path_factory.mktemp("texts"))
    return url


def test_sentences_in_another_language_are_drift_and_ordinary_ones_are_not(
    names: str, namespace: Any, detector: Any, texts: list[str]
) -> None:
    before = len(detector.verdicts("bert-ner"))
    call(namespace, names, "bert-ner", texts[800 : 800 + 5 * detector.window])
    ordinary = detector.wait_verdicts("bert-ner", before + 5)[before:]
    assert not any(one["alarm"] for one in ordinary)
    assert sum(one["outcome"] == "drift" for one in ordinary) <= 1
    call(namespace, names, "bert-ner", GERMAN[: 2 * detector.window])
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


def test_the_detector_runs_without_privileges(detector: Any, namespace: Any) -> None:
    assert_confined(namespace, "drift-detector")


def test_the_detector_killed_and_back(
    names: str, namespace: Any, detector: Any, texts: list[str], wait_for: Callable[..., Any]
) -> None:
    """Serving does not notice, and no event is counted twice."""
    detector.wait_settled()
    sample = texts[1400:1600]
    usual = sorted(call(namespace, names, "bert-ner", sample))
    detector.wait_settled()
    before = [int(number) for number in detector.run(COUNT).split()]
    detector.run(KILL)
    away = sorted(call(namespace, names, "bert-ner", sample))
    wait_for(lambda: detector.run(COUNT, check=False), seconds=120)
    namespace.kubectl("rollout", "status", "deployment/drift-detector", "--timeout=180s")
    # Not a measurement: a sink that is away must not cost the caller its time-out.
    assert away[len(away) // 2] < 2 * usual[len(usual) // 2] + 0.05
    call(namespace, names, "bert-ner", sample[:50])
    detector.wait_settled()
    calls, samples = (
        int(number) - was for number, was in zip(detector.run(COUNT).split(), before, strict=True)
    )
    assert samples == calls, "each call, of one text, is in the windows once"
    assert 50 <= calls <= len(sample) + 50


def test_blurred_and_dark_images_are_drift(
    deploy: Callable[[str, str], str],
    namespace: Any,
    detector: Any,
    images: list[bytes],
    tmp_path: Path,
) -> None:
    model = "resnet-classifier"
    url = deploy(model, detector.address)
    detector.learn(url, model, images[:800], tmp_path)
    before = len(detector.verdicts(model))
    call(namespace, url, model, images[800 : 800 + 3 * detector.window])
    ordinary = detector.wait_verdicts(model, before + 3)[before:]
    assert not any(one["alarm"] for one in ordinary)
    for change, feature in ((blurred, "sharpness"), (darkened, "brightness")):
        before = len(detector.verdicts(model))
        call(namespace, url, model, [change(image) for image in images[800 : 800 + 2 * detector.window]])
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
    detector: Any,
    texts: list[str],
    tmp_path: Path,
) -> None:
    if not detector.has_broker:
        pytest.skip("the cluster has no Knative Eventing")
    for kind, name in (
        ("broker", "default"),
        ("trigger", "drift-detector-requests"),
        ("trigger", "drift-detector-responses"),
    ):
        namespace.wait_ready(kind, name)
    url = deploy("bert-ner", namespace.broker_url)
    detector.learn(url, "bert-ner", texts[:800], tmp_path)
    before = len(detector.verdicts("bert-ner"))
    call(namespace, url, "bert-ner", texts[1700 : 1700 + 2 * detector.window])
    ordinary = detector.wait_verdicts("bert-ner", before + 2)[before:]
    assert not any(one["alarm"] for one in ordinary)
    call(namespace, url, "bert-ner", GERMAN[: 2 * detector.window])
    assert detector.wait_verdicts("bert-ner", before + 4)[-1]["alarm"]
    assert detector.events().get("dropped", 0) == 0
