"""Weights and mirroring by components/istio-weighted and istio-mirrored, as sidecars follow them."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from meshes import MODEL, STANDARD, Caller, change, infer, token

COMPONENTS = Path(__file__).parents[2] / "inferenceservices" / "components"
LOCAL = Path(__file__).parents[2] / "inferenceservices" / "overlays" / "local"
CANDIDATE = f"{MODEL}-candidate"
STABLE_REVISION, CANDIDATE_REVISION = f"{MODEL}-predictor", f"{CANDIDATE}-predictor"
CALLS = 300


@pytest.fixture(scope="module", autouse=True)
def both(deploy_in_mesh: Callable[..., None], caller: Caller, wait_for: Callable[..., Any]) -> None:
    """Both models, each with the environment that the component gives to its runtime, and the weights."""
    weighted = yaml.safe_load((COMPONENTS / "istio-weighted" / "kustomization.yaml").read_text())
    (environment,) = yaml.safe_load(weighted["patches"][0]["patch"])
    environment = ("add", "/spec/predictor/containers/0/env", environment["value"])
    sample = {
        "target": {"kind": "InferenceService", "name": CANDIDATE},
        "patch": (LOCAL / f"{MODEL}.yaml").read_text(),
    }
    other = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "resnet-classifier-candidate"},
        "$patch": "delete",
    }
    deploy_in_mesh(
        "candidate",
        "istio",
        "istio-weighted",
        patches=[
            {"patch": yaml.safe_dump(other)},
            sample,
            change("InferenceService", CANDIDATE, *STANDARD, environment),
            change("InferenceService", MODEL, environment),
        ],
    )
    # The sidecars hear of routes and policies some moments after the API server has them.
    wait_for(lambda: len(revisions(caller)) == 2, seconds=120, said=lambda: revisions(caller))


def revisions(caller: Caller) -> Counter[str]:
    """Who answered each of some calls of the stable model's name."""
    return Counter(caller(*[infer(token=token(), tells="revision")] * CALLS))


def calls_of(namespace: Any, name: str) -> float:
    """How many the server of an InferenceService has had."""
    script = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
    found = namespace.kubectl(
        "exec", f"deployment/{name}-predictor", "--container=kserve-container", "--", "python", "-c", script
    )
    lines = (line for line in found.splitlines() if line.startswith("modelserve_requests_total{"))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def is_share(count: float, percent: float) -> bool:
    """Whether so many of the calls are that share, within what chance does once in ten thousand times."""
    share = percent / 100
    return abs(count - CALLS * share) < 4 * math.sqrt(CALLS * share * (1 - share))


def test_a_tenth_of_the_calls_goes_to_the_candidate(caller: Caller) -> None:
    found = revisions(caller)
    assert set(found) == {STABLE_REVISION, CANDIDATE_REVISION}
    assert is_share(found[CANDIDATE_REVISION], 10)


def test_a_fifth_of_the_calls_is_mirrored(
    namespace: Any, caller: Caller, wait_for: Callable[..., Any]
) -> None:
    routes = (COMPONENTS / "istio-mirrored" / "virtual-services.yaml").read_text()
    namespace.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=routes)
    wait_for(lambda: set(revisions(caller)) == {STABLE_REVISION}, seconds=60)
    time.sleep(2)  # for the last of those
    before = calls_of(namespace, CANDIDATE)
    assert revisions(caller) == {STABLE_REVISION: CALLS}
    wait_for(lambda: is_share(calls_of(namespace, CANDIDATE) - before, 20), seconds=10)
