"""Collectors of logs and traces read what the servers write, and find each other by their charts' names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Object = dict[str, Any]
Build = Callable[[Path], list[Object]]
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "observability"
ALLOY = (FOLDER / "alloy" / "config.alloy").read_text()
PROMTAIL = yaml.safe_load((FOLDER / "loki" / "promtail.yaml").read_text())
(SCRAPE,) = PROMTAIL["scrape_configs"]
STAGES = {name: said for stage in SCRAPE["pipeline_stages"] for name, said in stage.items()}
COLLECTOR = yaml.safe_load((FOLDER / "otel-collector" / "collector.yaml").read_text())
VALUES = {
    name: yaml.safe_load((FOLDER / name / "values.yaml").read_text())
    for name in ("alloy", "jaeger", "loki", "otel-collector", "prometheus")
}
PROGRAM = """
import logging
from modelserve.logs import configure_logging
from modelserve.telemetry import configure_tracing

configure_logging(log_format="json", log_level="info", revision="tagger-00007")
tracing = configure_tracing(service_name="tagger", revision="tagger-00007")
with tracing.start("POST /").active():
    logging.getLogger("tagger").info("during")
"""


@pytest.fixture(scope="module")
def line() -> Object:
    """What a server writes while it answers a traced call."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": str(ROOT / "src"), "OTEL_TRACES_EXPORTER": "console"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: Object = json.loads(done.stderr.splitlines()[0])
    return found


def block(name: str) -> dict[str, str]:
    """The assignments of a stage of Alloy's."""
    (inner,) = re.findall(rf"stage\.{name} {{\n(.*?)\n\t}}", ALLOY, re.DOTALL)
    return dict(re.findall(r"(\w+)\s+= \"([^\"]*)\"", inner))


def test_alloy_and_promtail_take_what_a_line_has(line: Object) -> None:
    taken = block("json")
    assert taken == STAGES["json"]["expressions"]
    assert set(taken.values()) <= set(line), "a line has no such field"
    assert {"trace_id", "span_id", "revision", "level", "time"} <= set(taken)
    assert re.fullmatch(r"[0-9a-f]{32}", line["trace_id"])


def test_a_trace_id_is_beside_the_line_and_makes_no_stream() -> None:
    labels, beside = block("labels"), block("structured_metadata")
    assert labels == STAGES["labels"] == {"level": "", "revision": ""}
    assert beside == STAGES["structured_metadata"]
    assert "trace_id" in beside
    assert VALUES["loki"]["loki"]["limits_config"]["allow_structured_metadata"] is True


def test_a_lines_own_time_is_read(line: Object) -> None:
    said = block("timestamp")
    assert said == STAGES["timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)", line["time"])  # RFC 3339
    assert (said["format"], said["action_on_failure"]) == ("RFC3339Nano", "skip")


def test_alloy_and_promtail_give_the_same_labels_to_the_same_files() -> None:
    rules = re.findall(r'source_labels = \[([^\]]*)\][^}]*?target_label\s+= "(\w+)"', ALLOY)
    alloy = {label: re.findall(r'"(\w+)"', of) for of, label in rules}
    assert alloy == {one["target_label"]: one["source_labels"] for one in SCRAPE["relabel_configs"]}
    path = "/var/log/pods/*$1/*.log"
    assert path in ALLOY
    assert path in str(PROMTAIL)


def test_promtails_end_is_said() -> None:
    assert "Promtail ended on 2026-03-02" in (FOLDER / "loki" / "promtail.yaml").read_text()
    charts = (FOLDER / "charts.txt").read_text()
    assert "promtail" not in charts


def test_everything_is_sent_to_a_service_that_there_is() -> None:
    loki = f"http://{VALUES['loki']['fullnameOverride']}.monitoring.svc:3100/loki/api/v1/push"
    assert f'url = "{loki}"' in ALLOY
    assert PROMTAIL["clients"] == [{"url": loki}]
    jaeger = COLLECTOR["exporters"]["otlp_grpc/jaeger"]["endpoint"]
    receiver = VALUES["jaeger"]["userconfig"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"]
    assert jaeger == f"{VALUES['jaeger']['fullnameOverride']}.monitoring.svc:{receiver.rpartition(':')[2]}"


def test_predictors_send_to_the_collector_that_there_is(build_folder: Build, tmp_path: Path) -> None:
    shelf = "../" * len(tmp_path.resolve().parts[1:]) + str(ROOT).lstrip("/") + "/inferenceservices"
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "modelserve",
        "resources": [f"{shelf}/base"],
        "components": [f"{shelf}/components/{name}" for name in ("gpu", "tracing", "network-policies")],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    objects = build_folder(tmp_path)
    port = COLLECTOR["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    address = f"http://{VALUES['otel-collector']['fullnameOverride']}.monitoring.svc:{port}"
    runtimes = [one for one in objects if one["kind"] == "ServingRuntime"]
    assert len(runtimes) == 4
    for runtime in runtimes:
        (container,) = runtime["spec"]["containers"]
        assert container["env"] == [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": address}]
    policies = {one["metadata"]["name"]: one for one in objects if one["kind"] == "NetworkPolicy"}
    ports = {one["port"] for rule in policies["to-telemetry"]["spec"]["egress"] for one in rule["ports"]}
    assert int(port) in ports


@pytest.mark.parametrize("config", [COLLECTOR, VALUES["jaeger"]["userconfig"]], ids=["collector", "jaeger"])
def test_pipelines_are_of_parts_that_there_are(config: Object) -> None:
    service = config["service"]
    assert set(service["extensions"]) == set(config["extensions"])
    for part in ("receivers", "processors", "exporters"):
        used = {name for pipeline in service["pipelines"].values() for name in pipeline[part]}
        assert used == set(config[part])
    for pipeline in service["pipelines"].values():
        # What would be too much is refused first, and sent on in batches last.
        assert (pipeline["processors"][0], pipeline["processors"][-1]) == ("memory_limiter", "batch")


def test_traces_that_failed_or_were_slow_are_kept() -> None:
    policies = {one["name"]: one for one in COLLECTOR["processors"]["tail_sampling"]["policies"]}
    assert policies["failed"]["status_code"] == {"status_codes": ["ERROR"]}
    # As the objective has it.
    rules = (FOLDER / "prometheus" / "rules" / "recording.yaml").read_text()
    assert f'le="{policies["slow"]["latency"]["threshold_ms"] / 1000}"' in rules


def test_charts_find_the_objects_that_kustomize_makes(build_folder: Build) -> None:
    made = {(one["kind"], one["metadata"]["name"]): one for one in build_folder(FOLDER)}
    alloy = VALUES["alloy"]["alloy"]["configMap"]
    assert made["ConfigMap", alloy["name"]]["data"] == {alloy["key"]: ALLOY}
    # Under this key the chart mounts it.
    collector = made["ConfigMap", VALUES["otel-collector"]["configMap"]["existingName"]]["data"]
    assert yaml.safe_load(collector["relay"]) == COLLECTOR
    spec = VALUES["prometheus"]["alertmanager"]["alertmanagerSpec"]
    assert list(made["Secret", spec["configSecret"]]["data"]) == ["alertmanager.yaml"]
    config = (FOLDER / "alertmanager" / "alertmanager.yaml").read_text()
    script = (ROOT / "scripts" / "setup_monitoring.sh").read_text()
    for path in re.findall(r"_file: (\S+)", config):
        folder, _, key = path.rpartition("/")
        assert folder == f"/etc/alertmanager/secrets/{spec['secrets'][0]}"
        assert f"set_key {key} " in script
    volumes = {one["name"]: one for one in VALUES["jaeger"]["jaeger"]["extraVolumes"]}
    claim = volumes["traces"]["persistentVolumeClaim"]["claimName"]
    assert ("PersistentVolumeClaim", claim) in made
    mounts = {one["name"]: one["mountPath"] for one in VALUES["jaeger"]["jaeger"]["extraVolumeMounts"]}
    badger = VALUES["jaeger"]["userconfig"]["extensions"]["jaeger_storage"]["backends"]["traces"]["badger"]
    assert all(path.startswith(f"{mounts['traces']}/") for path in badger["directories"].values())


def test_prometheus_may_write_where_terraform_lets_it() -> None:
    account = VALUES["prometheus"]["prometheus"]["serviceAccount"]["name"]
    identity = (ROOT / "terraform" / "modules" / "environment" / "identity.tf").read_text()
    assert re.search(rf'"monitoring"\n\s+service_account\s+= "{account}"', identity)


def test_prometheus_is_where_others_ask(build_folder: Build) -> None:
    (service,) = [one for one in build_folder(FOLDER / "prometheus") if one["kind"] == "Service"]
    (port,) = service["spec"]["ports"]
    address = f"http://{service['metadata']['name']}.{service['metadata']['namespace']}:{port['port']}"
    assert f'"{address}"' in (ROOT / "inferenceservices" / "canary-controller" / "README.md").read_text()
