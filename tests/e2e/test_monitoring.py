"""A canary on a cluster as Prometheus, the dashboards and the alerts see it.

All of it is there: the model with its request log, the drift detector, the shadow, the pipelines, the
canary controller that asks this Prometheus, kube-state-metrics and Knative's own metrics. A GPU and
NVIDIA's exporter are not: the node says that it has GPUs, and a text in the exporter's form answers.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from dashboards import BOARDS, choices, everything, fill, marks, offered, queries
from pipeline_servers import pipelines_at
from prometheuses import PrometheusClient
from shadows import deploy_candidate, deploy_shadow

ROOT = Path(__file__).parents[2]
SCRAPE = ROOT / "tests" / "observability" / "grafana" / "scrapes" / "dcgm_exporter.prom"
MODEL = "bert-ner"
GERMAN = (ROOT / "samples" / "texts" / "german.txt").read_text("utf-8").splitlines()
JOBS = {
    "modelserve-servers",
    "modelserve-queue-proxies",
    "modelserve-drift-detector",
    "modelserve-shadow",
    "modelserve-canary-controller",
    "modelserve-pipeline-server",
    "modelserve-pipeline-workers",
    "knative-activator",
    "knative-autoscaler",
    "knative-controller",
    "kube-state-metrics",
    "dcgm-exporter",
}
# Half of the calls, for as long as the test looks: nothing that is measured ends the step.
LENIENT = {"errors": {"tolerated": 0.5, "limit": 0.9}, "disabled": ["latency", "labels", "confidence"]}
STEPS = [
    {"percent": 25, "leastSeconds": 20, "mostSeconds": 300},
    {"percent": 50, "leastSeconds": 3000, "mostSeconds": 3600},
]


@pytest.fixture(scope="module")
def prometheus(namespace: Any, monitoring: PrometheusClient) -> SimpleNamespace:
    """What the controllers are told of it: the Service that the manifests bring."""
    return SimpleNamespace(url=f"http://prometheus.{namespace.name}.svc.cluster.local:9090")


@pytest.fixture(scope="module")
def gpus(namespace: Any) -> Iterator[None]:
    """The node says that it has four."""
    node = json.loads(namespace.kubectl("get", "nodes", "--output=json"))["items"][0]["metadata"]["name"]
    path = "/status/capacity/nvidia.com~1gpu"
    command = ("patch", "node", node, "--subresource=status", "--type=json")
    namespace.kubectl(*command, f"--patch={json.dumps([{'op': 'add', 'path': path, 'value': '4'}])}")
    yield
    namespace.kubectl(*command, f"--patch={json.dumps([{'op': 'remove', 'path': path}])}")


@pytest.fixture(scope="module")
def model(
    namespace: Any, detector: Any, gpus: None, faulty_predictor: Callable[[], dict[str, Any]], callers_of: Any
) -> Any:
    """The model, which has a GPU, and whose log goes to the Broker."""
    if not detector.has_broker:
        pytest.skip("the cluster has no Knative Eventing")
    namespace.wait_ready("broker", "default")
    kustomization = faulty_predictor()
    container = "/spec/predictor/containers/0"
    operations = [
        {
            "op": "add",
            "path": "/spec/predictor/logger",
            "value": {"mode": "all", "url": namespace.broker_url},
        },
        {"op": "add", "path": f"{container}/resources/limits/nvidia.com~1gpu", "value": "1"},
    ]
    kustomization["patches"].append(
        {"patch": yaml.safe_dump(operations), "target": {"kind": "InferenceService", "name": MODEL}}
    )
    namespace.apply(kustomization)
    return callers_of(namespace.predictor_url(MODEL))


@pytest.fixture(scope="module")
def compared(namespace: Any, model: Any, wait_for: Callable[..., Any]) -> None:
    """A second service of the same model, whose answers the shadow compares with those in the log.

    It has what the first one has not: a cache and a limit of concurrency.
    """
    predictor = namespace.get("inferenceservice", MODEL)["spec"]["predictor"]
    del predictor["logger"], predictor["containers"][0]["resources"]["limits"]["nvidia.com/gpu"]
    predictor["containers"][0]["args"].append("--cache_url=memory://")
    predictor["containerConcurrency"] = 20
    deploy_candidate(namespace, predictor)
    deploy_shadow(namespace, wait_for)


@pytest.fixture(scope="module")
def pipelines(namespace: Any, own_address: str) -> Iterator[str]:
    """The pipeline server's address."""
    with pipelines_at(namespace, own_address, ["document-batch"]) as url:
        yield url


@pytest.fixture(scope="module")
def exporter(namespace: Any, model: Any) -> None:
    """What NVIDIA's exporter would say of the model's GPU."""
    selector = f"--selector=serving.kserve.io/inferenceservice={MODEL}"
    (pod,) = [one["metadata"]["name"] for one in namespace.list("pod", selector)]
    text = SCRAPE.read_text("utf-8").replace('namespace="local"', f'namespace="{namespace.name}"')
    text = text.replace('pod="bert-ner-predictor-00002-b"', f'pod="{pod}"')
    assert pod in text
    content = {"data": {SCRAPE.name: text}, "metadata": {"name": "dcgm-exporter"}}
    configuration = {"apiVersion": "v1", "kind": "ConfigMap", **content}
    namespace.kubectl("apply", "--filename=-", stdin=json.dumps(configuration))


@pytest.fixture(scope="module")
def calls(namespace: Any, model: Any, pipelines: str) -> Iterator[None]:
    """German sentences to the model, and a run of the pipeline now and then, until the tests are over."""
    ended = threading.Event()
    gateway = namespace.gateway

    def call() -> None:
        with httpx.Client(timeout=60, headers=gateway.headers(model.url)) as client:
            for text in itertools.cycle(GERMAN):
                if ended.wait(0.05):
                    return
                tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": [text]}
                client.post(gateway.url(f"/v2/models/{MODEL}/infer"), json={"inputs": [tensor]})

    def run() -> None:
        with httpx.Client(timeout=60) as client:
            while not ended.wait(5):
                body = {"inputs": {"documents": ["Angela Merkel met Barack Obama in Berlin."]}}
                with contextlib.suppress(httpx.HTTPError):
                    client.post(f"{pipelines}/v1alpha1/pipelines/document-batch/runs", json=body)

    threads = [threading.Thread(target=one) for one in (call, call, run)]
    for thread in threads:
        thread.start()
    yield
    ended.set()
    for thread in threads:
        thread.join()


@pytest.fixture(scope="module")
def canary(
    controllers: Any, model: Any, compared: None, exporter: None, detector: Any, calls: None
) -> dict[str, Any]:
    """A revision that fails one of twenty calls, and gets half of them."""
    reference = (ROOT / "samples" / MODEL / "reference.zip").read_bytes()
    assert detector.ask("PUT", "/references", content=reference).status_code == 201
    controllers.obey(steps=STEPS, checks=LENIENT)
    controllers.wait_ready()
    model.bring("errors", manager="kubectl")
    found: dict[str, Any] = controllers.wait("Watching", after="", percent=50)
    return found


def firing(prometheus: PrometheusClient) -> set[str]:
    return {
        one["labels"]["alertname"] for one in prometheus.ask("alerts")["alerts"] if one["state"] == "firing"
    }


def test_everything_is_scraped(
    canary: dict[str, Any], monitoring: PrometheusClient, wait_for: Callable[..., Any]
) -> None:
    def jobs() -> set[str]:
        targets = monitoring.ask("targets")["activeTargets"]
        down = [(one["scrapeUrl"], one["lastError"]) for one in targets if one["health"] == "down"]
        assert not down
        return {one["labels"]["job"] for one in targets if one["health"] == "up"}

    wait_for(lambda: jobs() == JOBS, seconds=90, said=lambda: JOBS ^ jobs())


def test_rules_are_as_they_are_checked_in(monitoring: PrometheusClient) -> None:
    found = monitoring.ask("rules")["groups"]
    files = sorted((ROOT / "observability" / "prometheus" / "rules").glob("*.yaml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    assert sorted(one["name"] for one in found) == sorted(one["name"] for one in groups)
    assert sum(len(one["rules"]) for one in found) == sum(len(one["rules"]) for one in groups)
    assert {rule["health"] for one in found for rule in one["rules"]} <= {"ok", "unknown"}


def test_every_query_of_every_dashboard_has_an_answer(
    canary: dict[str, Any], monitoring: PrometheusClient, wait_for: Callable[..., Any]
) -> None:
    left = {name: fill(target["expr"], everything(uid)) for name, uid, target in queries()}
    # In a cluster KServe's agent sends the log; this is of `modelserve serve`, which sends it itself.
    del left["modelserve-serving: Request log that was lost A"]

    def ask() -> bool:
        for name, query in list(left.items()):
            if any(math.isfinite(float(one["value"][1])) for one in monitoring.now(query)):
                del left[name]
        return not left

    wait_for(ask, seconds=240, said=lambda: json.dumps(left, indent=1))


def test_every_variable_has_values(canary: dict[str, Any], monitoring: PrometheusClient) -> None:
    for uid in BOARDS:
        for variable in choices(uid):
            assert offered(monitoring, variable, everything(uid)), (uid, variable["name"])


def test_the_canary_is_told_from_the_stable_revision(
    canary: dict[str, Any], monitoring: PrometheusClient, wait_for: Callable[..., Any]
) -> None:
    panels = BOARDS["modelserve-canary"]["panels"]
    (panel,) = [one for one in panels if one["title"] == "Failed calls by revision"]
    query = fill(panel["targets"][0]["expr"], everything("modelserve-canary"))
    revisions = {canary["stableRevision"], canary["canaryRevision"]}
    found = {
        one["metric"]["revision"]: float(one["value"][1])
        for one in monitoring.now(query)
        if one["metric"]["revision"] in revisions
    }
    assert found[canary["stableRevision"]] == 0
    assert 0.01 < found[canary["canaryRevision"]] < 0.15


def test_the_alerts_that_should_fire_do_and_no_others(
    canary: dict[str, Any], monitoring: PrometheusClient, wait_for: Callable[..., Any]
) -> None:
    expected = {"ModelServeErrorsBurnFast", "ModelServeDrift"}
    wait_for(lambda: firing(monitoring) >= expected, seconds=480, said=lambda: firing(monitoring))
    # Knative's proxy sees the failures too.
    assert firing(monitoring) <= {*expected, "ModelServeProxyErrors"}


def test_a_canary_that_goes_back_is_told(
    canary: dict[str, Any], controllers: Any, monitoring: PrometheusClient, wait_for: Callable[..., Any]
) -> None:
    """With pods read every 15 s, and looks every 2 s."""
    controllers.obey(steps=STEPS, checks={**LENIENT, "errors": {"tolerated": 0.005, "limit": 0.03}})
    back = controllers.wait("RolledBack", after="")
    assert back["canaryRevision"] == canary["canaryRevision"]
    assert "errors" in back["reason"]
    wait_for(
        lambda: "ModelServeCanaryRolledBack" in firing(monitoring),
        seconds=180,
        said=lambda: firing(monitoring),
    )
    for name, uid, query in marks():
        # What is marked may be over.
        lately = f"last_over_time(({fill(query, everything(uid))})[15m:15s])"
        assert monitoring.now(lately), name
