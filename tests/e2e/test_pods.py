"""Pods that go while calls come."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

PATH = "/v2/models/bert-ner/infer"
BODY = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Merkel in Berlin"]}]}


@pytest.fixture(scope="module")
def service(namespace: Any, sample_predictor: Callable[[str], dict[str, Any]]) -> str:
    """Two replicas of a predictor."""
    kustomization = sample_predictor("bert-ner")
    two = json.dumps([{"op": "replace", "path": "/spec/predictor/minReplicas", "value": 2}])
    kustomization["patches"].append(
        {"patch": two, "target": {"kind": "InferenceService", "name": "bert-ner"}}
    )
    namespace.apply(kustomization)
    url: str = namespace.predictor_url("bert-ner")
    return url


def ready_pods(namespace: Any) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in namespace.list("pods")
        if "deletionTimestamp" not in pod["metadata"]
        and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"]["conditions"])
    ]


def wait_for_two(namespace: Any, wait_for: Any) -> str:
    """One of two ready pods."""
    pods: list[str] = wait_for(
        lambda: found if len(found := ready_pods(namespace)) >= 2 else None,
        seconds=180,
        said=lambda: namespace.kubectl("get", "pods"),
    )
    return pods[0]


def is_gone(namespace: Any, pod: str) -> bool:
    return pod not in [found["metadata"]["name"] for found in namespace.list("pods")]


def delete(namespace: Any, pod: str) -> None:
    namespace.kubectl("delete", "pod", pod, "--wait=false")


def evict(namespace: Any, pod: str) -> None:
    """What ``kubectl drain`` does with each pod of a node."""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace.name},
    }
    path = f"/api/v1/namespaces/{namespace.name}/pods/{pod}/eviction"
    namespace.kubectl("create", "--raw", path, "--filename=-", stdin=json.dumps(eviction))


@pytest.mark.parametrize("take_away", [delete, evict])
def test_a_pod_that_is_taken_away_answers_what_it_has_taken(
    service: str, namespace: Any, wait_for: Any, take_away: Callable[[Any, str], None]
) -> None:
    pod = wait_for_two(namespace, wait_for)
    with namespace.load(service, PATH, BODY, callers=4) as load:
        take_away(namespace, pod)
        wait_for(lambda: is_gone(namespace, pod), seconds=120)
        wait_for_two(namespace, wait_for)
    assert load.failures == {}
    assert load.outcomes["200"] > 20


def test_a_killed_pod_costs_no_more_than_the_calls_in_it(service: str, namespace: Any, wait_for: Any) -> None:
    pod = wait_for_two(namespace, wait_for)
    callers = 4
    with namespace.load(service, PATH, BODY, callers=callers) as load:
        namespace.kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")
        wait_for(lambda: is_gone(namespace, pod), seconds=60)
        wait_for_two(namespace, wait_for)
        failed = sum(load.failures.values())
        before = load.outcomes["200"]
        wait_for(lambda: load.outcomes["200"] > before + 20, seconds=60)
        assert sum(load.failures.values()) == failed
    assert failed <= callers, load.outcomes
