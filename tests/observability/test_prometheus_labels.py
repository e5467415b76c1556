"""What servers tell gets the labels that rules have, in a real Prometheus that relabels as monitors say."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import yaml
from http_servers import Request, answering
from prometheus_client import generate_latest
from prometheuses import running_prometheus

from modelserve.server.metrics import Metrics

Object = dict[str, Any]
FILE = Path(__file__).parents[2] / "observability" / "prometheus" / "monitors" / "servers.yaml"


def snake(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def target(pod: str, container: str, port: int, number: str, labels: Mapping[str, str]) -> Object:
    """A container's port as Prometheus discovers it; the address is where the test's own server is."""
    meta = {
        "pod_name": pod,
        "namespace": "modelserve",
        "pod_container_name": container,
        "pod_container_port_number": number,
        "pod_ip": f"127.0.0.1:{port}",
        **{f"pod_label_{snake(key)}": value for key, value in labels.items()},
    }
    return {
        "targets": ["192.0.2.1"],
        "labels": {f"__meta_kubernetes_{key}": value for key, value in meta.items()},
    }


def renamed(rules: list[Object]) -> list[Object]:
    """The operator's form of a relabeling as Prometheus's; ports are those of the test."""
    names = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    found = [{names.get(key, key): value for key, value in one.items()} for one in rules]
    for one in found:
        if one.get("target_label") == "__address__":
            one["replacement"] = "$1"
    return found


def test_series_of_servers_have_model_revision_and_component(tmp_path: Path) -> None:
    service = {"serving.kserve.io/inferenceservice": "bert-ner"}
    pods = {
        # In Knative mode a server knows its revision.
        "bert-ner-predictor-00001-deployment-5d8f-abcde": ("predictor", "bert-ner-predictor-00001"),
        "bert-ner-transformer-00001-deployment-5d8f-abcde": ("transformer", "bert-ner-transformer-00001"),
        # In Standard mode it does not.
        "other-ner-predictor-7c9d8b6f5-x2z4q": ("predictor", "local"),
    }
    (endpoint,) = yaml.safe_load(FILE.read_text())["spec"]["podMetricsEndpoints"]
    base = [
        {"source_labels": [f"__meta_kubernetes_{meta}"], "target_label": label}
        for label, meta in (
            ("namespace", "namespace"),
            ("pod", "pod_name"),
            ("container", "pod_container_name"),
        )
    ]
    with ExitStack() as stack:
        targets = []
        for pod, (component, revision) in pods.items():
            metrics = Metrics(revision, queue_depth=lambda: 3)
            metrics.loaded(model="bert-ner", is_loaded=True)
            text = generate_latest(metrics.registry)
            port = stack.enter_context(answering(lambda _, text=text: (200, text), "text/plain"))  # type: ignore[misc]
            labels = {**service, "component": component}
            targets.append(target(pod, "kserve-container", port, "8080", labels))
            # The proxy beside it is another monitor's.
            targets.append(target(pod, "queue-proxy", port, "8012", labels))
        # In a mesh the sidecar passes it on; of a pair's predictor it does not know.
        text += b"envoy_server_live 1\n"

        def passed_on(request: Request) -> tuple[int, bytes]:
            return (200, text) if request.path == "/stats/prometheus" else (404, b"")

        sidecar = stack.enter_context(answering(passed_on, "text/plain"))
        meshed = {**labels, "security.istio.io/tlsMode": "istio"}
        targets.append(target("meshed-a", "kserve-container", sidecar, "8080", meshed))
        targets.append(target("meshed-a", "kserve-container", sidecar, "", meshed))
        # A predictor behind a transformer in the same pod declares no port.
        targets.append(target("pair-a", "transformer-container", port, "8080", labels))
        targets.append(target("pair-a", "kserve-container", port, "", {**labels, "component": "predictor"}))
        (tmp_path / "pods.json").write_text(json.dumps(targets))
        scrape = {
            "job_name": "podMonitor/monitoring/modelserve-servers/0",
            "file_sd_configs": [{"files": [str(tmp_path / "pods.json")]}],
            "relabel_configs": [*base, *renamed(endpoint["relabelings"])],
            "metric_relabel_configs": renamed(endpoint["metricRelabelings"]),
        }
        prometheus = stack.enter_context(running_prometheus(tmp_path, scrape))
        loaded = ask(prometheus.url, "modelserve_model_loaded", 6)
        queues = ask(prometheus.url, "modelserve_queue_depth", 6)
        assert len(ask(prometheus.url, "up == 1", 6)) == len(ask(prometheus.url, "up", 6)) == 6
        assert ask(prometheus.url, "envoy_server_live", 0) == []
    names = ("pod", "component", "revision", "model", "service", "namespace", "job")
    rest = ("bert-ner", "bert-ner", "modelserve", "modelserve-servers")
    expected = {
        ("bert-ner-predictor-00001-deployment-5d8f-abcde", "predictor", "bert-ner-predictor-00001", *rest),
        (
            "bert-ner-transformer-00001-deployment-5d8f-abcde",
            "transformer",
            "bert-ner-transformer-00001",
            *rest,
        ),
        ("other-ner-predictor-7c9d8b6f5-x2z4q", "predictor", "other-ner-predictor", *rest),
        ("meshed-a", "predictor", "local", *rest),
        ("pair-a", "transformer", "local", *rest),
        ("pair-a", "predictor", "local", *rest),
    }
    for found in (loaded, queues):
        assert {tuple(one[name] for name in names) for one in found} == expected


def ask(url: str, query: str, number: int) -> list[dict[str, str]]:
    """The labels of a query's series, once there are so many."""
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = httpx.get(f"{url}/api/v1/query", params={"query": query}).json()
            found = [one["metric"] for one in answer["data"]["result"]]
        except (httpx.HTTPError, KeyError, ValueError):
            found = []
        if len(found) >= number:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
