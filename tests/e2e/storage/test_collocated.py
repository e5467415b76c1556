"""Transformers in the pods of their predictors."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NAMES = ("bert-ner", "resnet-classifier")
CAT = Path(__file__).parents[3] / "samples" / "images" / "cat.jpg"


@pytest.fixture(scope="module")
def urls(namespace: Any, claim: str, from_storage: Callable[..., dict[str, Any]]) -> dict[str, str]:
    """The addresses of both InferenceServices, which have a predictor and nothing else."""
    namespace.apply(
        from_storage(
            {name: f"pvc://{claim}/{name}" for name in NAMES},
            components=("components/transformer-collocated",),
        )
    )
    found = {name: namespace.wait_ready("inferenceservice", name, seconds=420) for name in NAMES}
    assert all(one["status"]["components"].keys() == {"predictor"} for one in found.values())
    return {name: one["status"]["url"] for name, one in found.items()}


def test_a_document_is_longer_than_the_predictor_takes(urls: dict[str, str], namespace: Any) -> None:
    sentence = "Angela Merkel met Barack Obama in Berlin. "
    answer = namespace.gateway.post(
        urls["bert-ner"], "/v1/models/bert-ner:predict", json={"instances": [sentence * 200]}
    )
    assert answer.status_code == 200, answer.text
    (entities,) = answer.json()["predictions"]
    assert [(one["text"], one["start"]) for one in entities[-3:]] == [
        (name, 199 * len(sentence) + sentence.index(name))
        for name in ("Angela Merkel", "Barack Obama", "Berlin")
    ]


def test_a_picture_is_classified(urls: dict[str, str], namespace: Any) -> None:
    image = {"b64": base64.b64encode(CAT.read_bytes()).decode()}
    answer = namespace.gateway.post(
        urls["resnet-classifier"], "/v1/models/resnet-classifier:predict", json={"instances": [image]}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0]["labels"][0] == "cat"


@pytest.mark.parametrize("name", NAMES)
def test_both_are_one_pod(urls: dict[str, str], namespace: Any, name: str) -> None:
    (pod,) = namespace.list("pods", f"--selector=serving.kserve.io/inferenceservice={name}")
    restarts = {one["name"]: one["restartCount"] for one in pod["status"]["containerStatuses"]}
    assert {"kserve-container", "transformer-container"} <= restarts.keys()
    assert set(restarts.values()) == {0}
