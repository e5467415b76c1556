"""What the canary judge's account may do, asked of a real API server."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

RBAC = Path(__file__).parents[2] / "inferenceservices" / "components" / "rbac"
# Stopped: KServe makes nothing of it.
SERVICE = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "bert-ner", "annotations": {"serving.kserve.io/stop": "true"}},
    "spec": {
        "predictor": {
            "maxReplicas": 2,
            "model": {"modelFormat": {"name": "bert-token-classifier"}, "storageUri": "s3://models/bert-ner"},
        }
    },
}

# Nothing follows it: a mesh is not needed.
ROUTES: list[dict[str, Any]] = [
    {
        "match": [{"uri": {"prefix": "/v2"}}],
        "route": [
            {"destination": {"host": "bert-ner-predictor"}, "weight": 90},
            {"destination": {"host": "bert-ner-candidate-predictor"}, "weight": 10},
        ],
        "timeout": "35s",
    },
    {"route": [{"destination": {"host": "bert-ner-predictor"}}]},
]
VIRTUAL_SERVICE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "bert-ner"},
    "spec": {"hosts": ["bert-ner-predictor"], "http": ROUTES},
}

Patch = Callable[..., "subprocess.CompletedProcess[str]"]


def _predictor(**fields: object) -> dict[str, Any]:
    return {"spec": {"predictor": fields}}


def _routes(*path: Any, to: object) -> dict[str, Any]:
    """The routes with one value changed, or a field gone."""
    routes = copy.deepcopy(ROUTES)
    inner: Any = routes
    for key in path[:-1]:
        inner = inner[key]
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return {"spec": {"http": routes}}


def _weights(stable: int, candidate: int) -> dict[str, Any]:
    pair = ROUTES[0]["route"]
    both = [{**one, "weight": weight} for one, weight in zip(pair, (stable, candidate), strict=True)]
    return _routes(0, "route", to=both)


@pytest.fixture(scope="module")
def judge(namespace: Any) -> str:
    """The judge's account, as the API server names it."""
    return f"system:serviceaccount:{namespace.name}:canary-judge"


@pytest.fixture(scope="module")
def patch(namespace: Any, judge: str) -> Patch:
    """A patch that the server checks and does not keep: the judge's, or the test's own."""

    def patch(
        change: dict[str, Any], *, kind: str = "inferenceservice", by_judge: bool = True
    ) -> subprocess.CompletedProcess[str]:
        command = ["kubectl", "--namespace", namespace.name, "patch", kind, "bert-ner"]
        command += ["--type=merge", f"--patch={json.dumps(change)}", "--dry-run=server"]
        command += [f"--as={judge}"] if by_judge else []
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return patch


@pytest.fixture(scope="module", autouse=True)
def rights(namespace: Any, patch: Patch, wait_for: Any) -> Iterator[None]:
    """A stopped InferenceService, and the judge's rights of the component `rbac`."""
    names = ("canary-judge.yaml", "canary-judge-policy.yaml", "canary-judge-mesh-policy.yaml")
    files = [(RBAC / name).read_text() for name in names]
    # The policy is the cluster's: one that is there is left alone.
    manifest = "---\n".join(files).replace("modelserve-canary-judge", namespace.name)
    manifest = manifest.replace("namespace: modelserve}", f"namespace: {namespace.name}}}")
    try:
        namespace.kubectl("apply", "--filename=-", stdin=manifest)
        namespace.kubectl("apply", "--filename=-", stdin=json.dumps(SERVICE))
        # The API server takes a few seconds to hear of a new policy.
        wait_for(lambda: "judge may change" in patch(_predictor(maxReplicas=9)).stderr, seconds=30)
        yield
    finally:
        namespace.kubectl("delete", "--filename=-", "--wait=false", "--ignore-not-found", stdin=manifest)


@pytest.fixture(scope="module")
def patch_routes(namespace: Any, patch: Patch, wait_for: Any) -> Patch:
    """The same of a VirtualService."""
    if "virtualservices" not in namespace.kubectl("api-resources", "--api-group=networking.istio.io"):
        pytest.skip("the cluster has no definition of VirtualService")
    namespace.kubectl("apply", "--filename=-", stdin=json.dumps(VIRTUAL_SERVICE))

    def patch_routes(change: dict[str, Any], **more: Any) -> subprocess.CompletedProcess[str]:
        return patch(change, kind="virtualservice", **more)

    wait_for(lambda: "judge may change" in patch_routes(_routes(1, "timeout", to="1s")).stderr, seconds=30)
    return patch_routes


@pytest.mark.parametrize("share", [0, 10, 100, None])
def test_the_judge_moves_the_traffic(share: int | None, patch: Patch) -> None:
    done = patch(_predictor(canaryTrafficPercent=share))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "change",
    [
        _predictor(maxReplicas=9),
        _predictor(minReplicas=0),
        _predictor(canaryTrafficPercent=10, model={"storageUri": "s3://elsewhere/bert-ner"}),
        _predictor(model={"resources": {"limits": {"cpu": "8"}}}),
        {"spec": {"transformer": {"containers": [{"name": "kserve-container", "image": "a:1"}]}}},
        {"metadata": {"annotations": {"poke": "1"}}},
        {"metadata": {"labels": {"poke": "1"}}},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_the_judge_changes_nothing_else(change: dict[str, Any], patch: Patch) -> None:
    done = patch(change)
    assert done.returncode != 0
    assert "the canary judge may change" in done.stderr


@pytest.mark.parametrize("candidate", [0, 1, 50, 100])
def test_the_judge_moves_weights(candidate: int, patch_routes: Patch) -> None:
    done = patch_routes(_weights(100 - candidate, candidate))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "change",
    [
        _weights(90, 20),
        _weights(110, -10),
        _routes(0, "route", 1, "destination", to={"host": "elsewhere"}),
        _routes(0, "route", 1, "destination", "subset", to="v2"),
        _routes(0, "route", 1, "headers", to={"request": {"set": {"a": "b"}}}),
        _routes(0, "route", to=ROUTES[0]["route"][:1]),
        _routes(0, "timeout", to="1s"),
        _routes(0, "timeout", to=None),
        _routes(0, "match", 0, "uri", "prefix", to="/"),
        _routes(0, "mirror", to={"host": "elsewhere"}),
        _routes(1, "route", 0, "weight", to=50),
        {"spec": {"http": ROUTES[::-1]}},
        {"spec": {"http": [*ROUTES, ROUTES[1]]}},
        {"spec": {"http": ROUTES[:1]}},
        {"spec": {"http": None}},
        {"spec": {"hosts": ["another"]}},
        {"spec": {"gateways": ["istio-system/all"]}},
        {"metadata": {"annotations": {"poke": "1"}}},
    ],
    ids=lambda change: json.dumps(change)[-60:],
)
def test_the_judge_changes_no_more_of_a_route(change: dict[str, Any], patch_routes: Patch) -> None:
    done = patch_routes(change)
    assert done.returncode != 0
    assert "the canary judge may change" in done.stderr
    assert patch_routes(change, by_judge=False).returncode == 0, "a person may"


@pytest.mark.parametrize(
    ("verb", "name", "answer"),
    [
        ("patch", "bert-ner", "yes"),
        ("patch", "resnet-classifier", "yes"),
        ("patch", "another", "no"),
        ("update", "bert-ner", "no"),
        ("delete", "bert-ner", "no"),
        ("create", "bert-ner", "no"),
    ],
)
def test_the_judge_only_patches(verb: str, name: str, answer: str, namespace: Any, judge: str) -> None:
    for kind in ("inferenceservices.serving.kserve.io", "virtualservices.networking.istio.io"):
        asked = namespace.kubectl("auth", "can-i", verb, f"{kind}/{name}", f"--as={judge}", check=False)
        assert asked.strip() == answer


def test_a_person_is_not_held_by_the_judges_policy(patch: Patch) -> None:
    done = patch(_predictor(maxReplicas=9), by_judge=False)
    assert done.returncode == 0, done.stderr
