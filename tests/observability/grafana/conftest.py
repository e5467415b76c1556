"""What dashboards are about: servers, a detector, a shadow and pipelines, and a Prometheus that scrapes them.

The servers are two revisions of one model with the sample's weights. For what this machine cannot have, the
texts in ``scrapes/`` answer.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_servers import Request, answering
from programs import Program, running
from prometheus_client import CollectorRegistry, generate_latest
from prometheuses import PrometheusClient, running_prometheus

from modelserve.canary.controller.metrics import CanaryMetrics
from modelserve.canary.judge.verdicts import Verdict
from modelserve.canary.rollout import RolloutState
from modelserve.canary.running.course import Phase, begin
from modelserve.canary.running.driver import Progress
from modelserve.pipelines.working.metrics import WorkerMetrics

ROOT = Path(__file__).parents[3]
SCRAPES = Path(__file__).parent / "scrapes"
STABLE, CANARY = "bert-ner-predictor-00001", "bert-ner-predictor-00002"
PODS = {STABLE: f"{STABLE}-a", CANARY: f"{CANARY}-b"}
ROUNDS = 8
PIPELINE = """\
apiVersion: modelserve.dev/v1alpha1
kind: Pipeline
metadata: {name: names}
spec:
  inputs:
    texts: {type: "string[]"}
  models:
    tagger: {url: "URL", modelName: bert-ner}
    missing: {url: "URL", modelName: missing}
  steps:
    - {name: doubtful, model: missing, inputs: {text: inputs.texts}, fallback: {value: {entities: []}}}
    - {name: tagged, model: tagger, inputs: {text: inputs.texts}}
  output: {entities: steps.tagged.output.entities}
"""


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusClient]:
    """A canary under way: German texts at the stable revision, and failures at the canary."""
    folder = tmp_path_factory.mktemp("world")
    with ExitStack() as stack:
        targets: list[dict[str, Any]] = []

        def scrape(port: int, **labels: str) -> None:
            targets.append({"targets": [f"127.0.0.1:{port}"], "labels": labels})

        def serve(metrics: Callable[[], bytes], **labels: str) -> None:
            content = answering(lambda _: (200, metrics()), "text/plain; version=0.0.4")
            scrape(stack.enter_context(content), **labels)

        servers, others = _start(stack, folder)
        for revision, server in servers.items():
            scrape(server.port, namespace="local", pod=PODS[revision], component="predictor")
        for name, process in others.items():
            scrape(process.port, namespace="local", pod=name)
        serve(partial(generate_latest, _in_process()), namespace="local", pod="in-process")
        for name, labels in _ELSEWHERE.items():
            serve((SCRAPES / f"{name}.prom").read_bytes, **labels)
        made = PrometheusClient()
        stack.callback(made.client.close)
        job = {"job_name": "all", "honor_labels": True, "static_configs": targets}
        flags = ["--enable-feature=exemplar-storage"]
        prometheus = stack.enter_context(running_prometheus(folder, job, flags=flags))
        made.url = prometheus.url
        _wait_until_scraped(made, len(targets), prometheus.log)
        # Costs are added up at whole minutes: one has to pass.
        minute = (time.time() // 60 + 1) * 60
        _call(made, servers, others["pipelines"])
        time.sleep(max(0, minute + 2 - time.time()))
        made.at = time.time()
        yield made


_ELSEWHERE = {
    "kube_state_metrics": {},
    "dcgm_exporter": {"namespace": "gpu-operator", "pod": "dcgm-exporter-x"},
    "knative_control_plane": {"namespace": "knative-serving", "pod": "autoscaler-x"},
    "knative_queue_proxy": {"namespace": "local", "pod": PODS[STABLE], "revision": STABLE},
}


def _start(stack: ExitStack, folder: Path) -> tuple[dict[str, Program], dict[str, Program]]:
    """The servers by their revisions, and the others."""
    events = r"ready: events by POST on port (\d+)"
    detector = stack.enter_context(
        running(
            *("drift_detector", "--host=127.0.0.1", "--http_port=0", "--flush_seconds=0.1"),
            *(f"--store=sqlite:///{folder}/drift.db", "--references=samples/bert-ner/reference.zip"),
            *("--window_samples=100", "--alarm_needed=1"),
            ready=events,
        )
    )
    traces = stack.enter_context(answering(lambda _: (200, b""), "application/x-protobuf"))
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{traces}", "OTEL_BSP_SCHEDULE_DELAY": "200"}
    stable = stack.enter_context(_server(STABLE, detector.port, traced))
    shadow = stack.enter_context(
        running(
            *("modelserve.cli", "shadow", "--listen=127.0.0.1:0", f"--to={stable.url}", "--rate=1000"),
            *("--namespace=local", "--service=bert-ner", "--component=predictor"),
            ready=events,
        )
    )
    both = stack.enter_context(answering(partial(_pass_on, [detector, shadow])))
    canary = stack.enter_context(_server(CANARY, both, {}))
    (folder / "pipeline.yaml").write_text(PIPELINE.replace("URL", stable.url))
    pipelines = stack.enter_context(
        running(
            *("modelserve.cli", "pipeline", "serve", str(folder / "pipeline.yaml"), "--http_port=0"),
            *("--http_host=127.0.0.1", f"--store_url=sqlite:///{folder}/runs.db"),
            ready=r"Ready: names on port (\d+)",
        )
    )
    servers = {STABLE: stable, CANARY: canary}
    return servers, {"detector": detector, "shadow": shadow, "pipelines": pipelines}


def _server(revision: str, sink: int, environment: dict[str, str]) -> AbstractContextManager[Program]:
    return running(
        *(
            "modelserve.cli",
            "serve",
            "--model=bert-ner=samples/bert-ner",
            "--host=127.0.0.1",
            "--http_port=0",
        ),
        *(
            "--grpc_port=0",
            "--log_format=json",
            "--cache_url=memory://",
            f"--log_url=http://127.0.0.1:{sink}/",
        ),
        ready=r"ready: REST on port (\d+)",
        environment={**environment, "K_REVISION": revision},
    )


def _pass_on(sinks: Sequence[Program], request: Request) -> tuple[int, bytes]:
    """Give an event to several, as a broker does."""
    for sink in sinks:
        answer = httpx.post(sink.url, content=request.body, headers=dict(request.headers), timeout=60)
        answer.raise_for_status()
    return 202, b""


def _in_process() -> CollectorRegistry:
    """What tells of rare events, or of clusters: the canary's controller, and a worker that gave runs up."""
    registry = CollectorRegistry()
    canaries = CanaryMetrics(registry)
    state = RolloutState(STABLE, CANARY, 20, is_ready=True, failure="", fingerprint="a")
    course = begin(state, now=time.time()).to(Phase.WATCHING, now=time.time(), reason="")
    canaries.tell("local", "bert-ner", Progress(time.time(), course, 20), Verdict.FAIL)
    canaries.step_ended("local", "bert-ner", "advanced")
    worker = WorkerMetrics(registry)
    worker.given_up("lease_lost")
    worker.told("refused")
    return registry


def _wait_until_scraped(world: PrometheusClient, targets: int, log: Path) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            if world.value("sum(up)") == targets:
                return
        except (httpx.HTTPError, AssertionError):
            pass
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def _call(world: PrometheusClient, servers: Mapping[str, Program], pipelines: Program) -> None:
    """Rounds of calls with scrapes between them; in each the canary fails one call of four."""
    texts = {
        STABLE: itertools.cycle((ROOT / "samples/texts/german.txt").read_text("utf-8").splitlines()),
        CANARY: itertools.cycle((ROOT / "samples/texts/english.txt").read_text("utf-8").splitlines()),
    }
    for _ in range(ROUNDS):
        for revision, server in servers.items():
            for _ in range(3):
                _infer(world, server, list(itertools.islice(texts[revision], 20)), 200)
            wrong = world.client.post(f"{server.url}/v1/models/bert-ner:predict", json={"instances": [1]})
            assert wrong.status_code == 400
        canary = servers[CANARY]
        world.client.post(f"{canary.url}/v2/repository/models/bert-ner/unload", timeout=60).raise_for_status()
        _infer(world, canary, ["Ada"], 503)
        world.client.post(f"{canary.url}/v2/repository/models/bert-ner/load", timeout=60).raise_for_status()
        run = {"inputs": {"texts": ["Ada Lovelace was in London."]}}
        world.client.post(
            f"{pipelines.url}/v1alpha1/pipelines/names/runs", json=run, timeout=60
        ).raise_for_status()
        time.sleep(1.5)
    deadline = time.monotonic() + 180
    while len(world.now('modelserve_drift_p_value{baseline="reference",feature="language"}')) < len(servers):
        assert time.monotonic() < deadline, world.now("modelserve_drift_events_total")
        time.sleep(0.5)


def _infer(world: PrometheusClient, server: Program, texts: Sequence[str], status: int) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts)}
    answer = world.client.post(
        f"{server.url}/v2/models/bert-ner/infer", json={"inputs": [tensor]}, timeout=60
    )
    assert answer.status_code == status, answer.text
