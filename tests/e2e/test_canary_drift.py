"""A model whose answers drift goes back: by the detector's alarm, through Prometheus, by the controller."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

MODEL = "bert-ner"


@pytest.fixture(scope="module")
def model(
    namespace: Any,
    detector: Any,
    faulty_predictor: Callable[[], dict[str, Any]],
    callers_of: Callable[[str], Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """A model without a fault so far, whose log goes to the detector, and a reference of its calls."""
    wanted = faulty_predictor()
    logger = {
        "op": "add",
        "path": "/spec/predictor/logger",
        "value": {"mode": "all", "url": detector.address},
    }
    wanted["patches"].append({"patch": json.dumps([logger]), "target": {"kind": "InferenceService"}})
    namespace.apply(wanted)
    found = callers_of(namespace.predictor_url(MODEL))
    detector.learn(found.url, MODEL, found.texts * 200, tmp_path_factory.mktemp("texts"))
    return found


@pytest.fixture
def only_drift(controllers: Any, model: Any) -> Any:
    """Controllers that judge by nothing else."""
    controllers.obey(checks={"disabled": ["errors", "latency", "labels", "confidence"], "drift": True})
    return controllers


def test_one_that_answers_as_the_reference_is_promoted(only_drift: Any, model: Any) -> None:
    last, (old, _) = only_drift.last(), model.revisions()
    with model.callers():
        model.bring("", manager="kubectl")
        canary = only_drift.wait("Promoted", after=last)
    assert "drift: no alarm for the canary" in canary["reason"]
    assert model.revisions() == (canary["canaryRevision"],) * 2
    assert canary["stableRevision"] == old


def test_one_that_drifts_goes_back(only_drift: Any, model: Any) -> None:
    last, (old, _) = only_drift.last(), model.revisions()
    with model.callers() as answers:
        model.bring("labels", manager="kubectl")
        began = time.monotonic()
        canary = only_drift.wait("RolledBack", after=last)
        print(f"rolled back {time.monotonic() - began:.0f} s after it came; {canary['reason']}")
        time.sleep(3)
        back = len(answers)
        time.sleep(3)
    assert "drift: an alarm for the canary, and none for the stable revision" in canary["reason"]
    assert set(answers[back:]) == {(old, 200)}
    assert {code for _, code in answers} == {200}
