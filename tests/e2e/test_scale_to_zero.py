"""No replica when nobody calls, and the first call from zero."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

BODY = {"instances": ["Angela Merkel met Barack Obama in Berlin."]}


@pytest.fixture(scope="module")
def service(namespace: Any, sample_predictor: Callable[[str], dict[str, Any]]) -> str:
    kustomization = sample_predictor("bert-ner")
    kustomization["components"] = ["components/scale-to-zero"]
    namespace.apply(kustomization)
    found = namespace.wait_ready("inferenceservice", "bert-ner")
    url: str = found["status"]["components"]["predictor"]["url"]
    return url


def test_the_first_call_from_zero_is_answered_in_time(service: str, namespace: Any, wait_for: Any) -> None:
    waits = []
    for _ in range(2):
        # Knative's stable window is 60 s; the component lets the last pod stay 30 s longer.
        wait_for(
            lambda: namespace.list("pods") == [], seconds=300, said=lambda: namespace.kubectl("get", "pods")
        )
        began = time.monotonic()
        answer = namespace.gateway.post(service, "/v1/models/bert-ner:predict", json=BODY)
        waits.append(time.monotonic() - began)
        assert answer.status_code == 200, answer.text
        (entities,) = answer.json()["predictions"]
        assert [entity["text"] for entity in entities] == ["Angela Merkel", "Barack Obama", "Berlin"]
        (pod,) = namespace.list("pods")
        print(f"first call from zero: {waits[-1]:.2f} s: {story(pod)}")
    assert min(waits) < 5, waits


def story(pod: dict[str, Any]) -> str:
    """What the wait is made of: when Kubernetes saw each step."""
    times = {one["type"]: one["lastTransitionTime"] for one in pod["status"]["conditions"]}
    started = {
        one["name"]: one["state"]["running"]["startedAt"] for one in pod["status"]["containerStatuses"]
    }
    return f"created {pod['metadata']['creationTimestamp']}, containers {started}, {times}"
