"""``modelserve shadow`` from its flags to its exit status, between real servers of the sample models."""

from __future__ import annotations

import io
import json
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from PIL import Image, ImageEnhance

from modelserve.events import Component
from modelserve.events.logfile import write_log

SAMPLES = Path(__file__).parents[3] / "samples"
PEOPLE, PLACES = ("Angela Merkel", "Barack Obama"), ("Paris", "Berlin", "London")
Log = Callable[..., Path]


def shadow(log: Path | str, url: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modelserve.cli", "shadow", str(log), "--to", url]
    command += ["--rate", "1000", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def report(ran: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def changed(start_module_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Both sample models, one taking persons for organisations and the other cats for dogs."""
    folder = tmp_path_factory.mktemp("changed")
    ner = Path(shutil.copytree(SAMPLES / "bert-ner", folder / "ner"))
    config = json.loads((ner / "config.json").read_text("utf-8"))
    turned = {"PER": "ORG", "ORG": "PER"}
    names = {number: name[:2] + turned.get(name[2:], name[2:]) for number, name in config["id2label"].items()}
    config["id2label"], config["label2id"] = names, {name: int(number) for number, name in names.items()}
    (ner / "config.json").write_text(json.dumps(config), "utf-8")
    resnet = Path(shutil.copytree(SAMPLES / "resnet-classifier", folder / "resnet"))
    labels = (resnet / "labels.txt").read_text("utf-8").split()
    turned = {"cat": "dog", "dog": "cat"}
    (resnet / "labels.txt").write_text("\n".join(turned.get(name, name) for name in labels) + "\n", "utf-8")
    return start_module_server(
        "modelserve.cli", "serve", "--model", f"bert-ner={ner}", "--model", f"resnet-classifier={resnet}"
    )


@pytest.fixture
def log(server: Any, calls: Any, tmp_path: Path) -> Log:
    """Asks the server, and writes what an agent beside it would log."""

    def write(requests: list[tuple[bytes, dict[str, str]]], path: str, service: str) -> Path:
        pairs = []
        component = Component("default", service, "predictor")
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for number, (body, headers) in enumerate(requests):
                answer = client.post(path, content=body, headers=headers)
                assert answer.status_code == 200, answer.text
                pairs.append(calls.pair(number, answer.content, request=body, component=component))
        file = tmp_path / f"{service}.jsonl"
        with file.open("wb") as stream:
            write_log(stream, calls.events(*pairs))
        return file

    return write


def texts(count: int, *, with_people: float) -> list[str]:
    chance = random.Random(0)
    return [
        f"{chance.choice(PEOPLE)} met {chance.choice(PEOPLE)} in {chance.choice(PLACES)}."
        if chance.random() < with_people
        else f"It rained in {chance.choice(PLACES)} on day {number}."
        for number in range(count)
    ]


def v2_texts(*batches: list[str]) -> list[tuple[bytes, dict[str, str]]]:
    tensors = [{"name": "text", "datatype": "BYTES", "shape": [len(one)], "data": one} for one in batches]
    return [(orjson.dumps({"inputs": [tensor]}), {}) for tensor in tensors]


def v2_images(cat_jpeg: bytes, count: int) -> list[tuple[bytes, dict[str, str]]]:
    """Photographs in the binary extension, in more or less light."""
    requests = []
    for number in range(count):
        packed = io.BytesIO()
        with Image.open(io.BytesIO(cat_jpeg)) as cat:
            ImageEnhance.Brightness(cat).enhance(0.6 + number / count).save(packed, "JPEG")
        raw = len(packed.getvalue()).to_bytes(4, "little") + packed.getvalue()
        parameters = {"binary_data_size": len(raw)}
        tensor = {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": parameters}
        head = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
        requests.append((head + raw, {"Inference-Header-Content-Length": str(len(head))}))
    return requests


def test_texts_that_another_model_reads_otherwise(changed: Any, log: Log, tmp_path: Path) -> None:
    file = log(
        v2_texts(*([text] for text in texts(200, with_people=0.2))), "/v2/models/bert-ner/infer", "bert-ner"
    )
    html, metrics = tmp_path / "report.html", tmp_path / "shadow.prom"
    ran = shadow(file, changed.url, "--json", "--html", str(html), "--metrics", str(metrics))
    assert ran.returncode == 1, ran.stderr
    found = report(ran)
    people = sum(" met " in text for text in texts(200, with_people=0.2))
    assert found["verdict"] == "disagrees"
    assert found["disagreeing_items"] == people
    assert found["calls"] == {"agreed": 200 - people, "disagreed": people}
    assert found["events"] == {"paired": 400}
    assert found["entities"]["only_new"] == found["entities"]["only_logged"] == 2 * people
    assert found["score_distance"]["estimate"] == pytest.approx(0, abs=1e-5)
    assert "The shadow disagrees" in html.read_text("utf-8")
    exposed = metrics.read_text("utf-8")
    labels = 'model="bert-ner",revision="local"'
    assert f"modelserve_shadow_disagreement_ratio{{{labels}}} {people / 200}" in exposed
    assert (
        'modelserve_shadow_compared_total{model="bert-ner",outcome="disagreed",revision="local"} '
        f"{people:.1f}" in exposed
    )


def test_texts_that_the_same_model_reads(server: Any, log: Log) -> None:
    batches = [texts(300, with_people=0.5)[start : start + 2] for start in range(0, 300, 2)]
    file = log(v2_texts(*batches), "/v2/models/bert-ner/infer", "bert-ner")
    ran = shadow(file, server.url, "--json", "--limit", "0.05")
    assert ran.returncode == 0, ran.stderr
    found = report(ran)
    assert (found["verdict"], found["items"], found["disagreeing_items"]) == ("agrees", 300, 0)
    assert found["f1"]["estimate"] == 1.0
    assert found["f1"]["lower"] < 1.0
    table = shadow(file, server.url)
    assert table.returncode == 3, "150 calls do not tell of 3%"
    assert "no_verdict: between 0.00% and" in table.stdout
    assert "agreed: 150" in table.stdout


def test_images_in_the_binary_extension(changed: Any, server: Any, log: Log, cat_jpeg: bytes) -> None:
    file = log(v2_images(cat_jpeg, 25), "/v2/models/resnet-classifier/infer", "resnet-classifier")
    same, other = (shadow(file, one.url, "--json", "--limit", "0.3") for one in (server, changed))
    assert (same.returncode, other.returncode) == (0, 1), same.stderr + other.stderr
    assert report(same)["score_distance"]["estimate"] == pytest.approx(0, abs=1e-4)
    assert report(other)["disagreement"]["estimate"] > 0.5
    worst = report(other)["examples"][0]
    assert {worst["logged"][0]["name"], worst["replayed"][0]["name"]} == {"cat", "dog"}
    assert report(other)["f1"] is None


def test_v1_needs_the_models_name(server: Any, log: Log) -> None:
    bodies: list[tuple[bytes, dict[str, str]]] = [
        (orjson.dumps({"instances": [text]}), {}) for text in texts(60, with_people=0.5)
    ]
    file = log(bodies, "/v1/models/bert-ner:predict", "bert-ner")
    unnamed = shadow(file, server.url, "--json")
    assert unnamed.returncode == 3
    assert report(unnamed)["calls"] == {"unnamed_model": 60}
    assert "give its name" in report(unnamed)["notes"][0]
    named = shadow(file, server.url, "--json", "--limit", "0.2", "--model", "bert-ner")
    assert named.returncode == 0, named.stdout
    assert report(named)["calls"] == {"agreed": 60}


def test_from_standard_input_with_a_bad_line(server: Any, log: Log) -> None:
    file = log(
        v2_texts(*([text] for text in texts(3, with_people=1))), "/v2/models/bert-ner/infer", "bert-ner"
    )
    ran = shadow("-", server.url, "--json", input=file.read_text("utf-8") + "{broken\n")
    assert ran.returncode == 2
    assert "standard input, line 7" in ran.stderr
    assert report(ran)["calls"] == {"agreed": 3}, "what was compared until then is told"


def test_a_log_of_two_services(server: Any, log: Log, cat_jpeg: bytes, tmp_path: Path) -> None:
    ner = log(v2_texts(["Angela Merkel"]), "/v2/models/bert-ner/infer", "bert-ner")
    resnet = log(v2_images(cat_jpeg, 1), "/v2/models/resnet-classifier/infer", "resnet-classifier")
    both = tmp_path / "both.jsonl"
    both.write_bytes(ner.read_bytes() + resnet.read_bytes())
    ran = shadow(both, server.url)
    assert ran.returncode == 2
    assert "default/bert-ner/predictor and of default/resnet-classifier/predictor" in ran.stderr
    chosen = shadow(both, server.url, "--service", "resnet-classifier", "--json")
    assert chosen.returncode == 3
    assert report(chosen)["calls"] == {"agreed": 1}
    assert report(chosen)["events"] == {"paired": 2, "other_component": 2}


def test_nobody_answers(calls: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = tmp_path / "log.jsonl"
    with file.open("wb") as stream:
        write_log(stream, calls.events(*(calls.pair(number, calls.answer()) for number in range(5))))
    ran = shadow(file, f"http://127.0.0.1:{port}", "--json", "--html", str(tmp_path / "report.html"))
    assert ran.returncode == 3
    assert report(ran)["calls"] == {"failed_unreachable": 5}
    assert report(ran)["failures"]["estimate"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--limit", "0.001"), "below --tolerance"),
        (("--limit", "1.5"), "not between 0 and 1"),
        (("--rate", "0"), "not above 0"),
        (("--rate", "nan"), "not above 0"),
        (("--at_once", "0"), "not at least 1"),
        (("--examples", "-1"), "negative"),
        (("--to", "candidate:8080"), "no URL"),
        (("--to", "http://user:word@candidate"), "without a user's name"),
        (("--to", "http://candidate:port"), "no URL"),
        (("--html", "missing/report.html"), "missing/report.html"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").touch()
    ran = shadow("log.jsonl", "http://127.0.0.1:1", *arguments, cwd=tmp_path)
    assert ran.returncode == 2
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_log_that_is_not_there() -> None:
    ran = shadow("no/such/log", "http://127.0.0.1:1")
    assert ran.returncode == 2
    assert "no/such/log" in ran.stderr


def test_an_empty_log(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").touch()
    ran = shadow(tmp_path / "log.jsonl", "http://127.0.0.1:1", "--html", str(tmp_path / "report.html"))
    assert ran.returncode == 3
    assert "no call was compared" in ran.stdout
