"""What reaches Grafana on a cluster, and that metrics, logs and traces lead to each other."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "observability" / "grafana"
SOURCES = yaml.safe_load((FOLDER / "datasources.yaml").read_text("utf-8"))["datasources"]
BY_UID: dict[str, dict[str, Any]] = {one["uid"]: one for one in SOURCES}
PROGRAM = """
import logging
from modelserve.logs import configure_logging
from modelserve.telemetry import configure_tracing

configure_logging(log_format="json", log_level="info", revision="names-00001")
tracing = configure_tracing(service_name="names", revision="names-00001")
call = tracing.start("call")
with call.active():
    logging.getLogger("names").warning("slow")
print(call.trace_id)
"""


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """What kustomize builds."""
    own = FOLDER.parents[1] / ".tools" / "bin" / "kustomize"
    command = [str(own), "build"] if own.exists() else ["kubectl", "kustomize"]
    built = subprocess.run([*command, str(FOLDER)], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(built.stdout))


def test_each_dashboard_is_a_config_map_for_the_sidecar(objects: list[dict[str, Any]]) -> None:
    found: dict[str, str] = {}
    for one in objects:
        assert one["kind"] == "ConfigMap"
        if one["metadata"]["labels"] == {"grafana_dashboard": "1"}:
            assert one["metadata"]["annotations"] == {"grafana_folder": "modelserve"}
            # A ConfigMap takes a MiB, and the annotation of what `kubectl apply` applied a quarter of it.
            assert sum(map(len, one["data"].values())) < 2**18
            found.update(one["data"])
    assert found == {file.name: file.read_text("utf-8") for file in FOLDER.glob("dashboards/*.json")}


def test_the_sources_are_a_config_map_for_the_sidecar(objects: list[dict[str, Any]]) -> None:
    (source,) = [one for one in objects if one["metadata"]["labels"] == {"grafana_datasource": "1"}]
    (text,) = source["data"].values()
    assert yaml.safe_load(text)["datasources"] == SOURCES


def test_sources_lead_to_sources_that_there_are() -> None:
    told = set(re.findall(r"datasourceUid: (\w+)", (FOLDER / "datasources.yaml").read_text("utf-8")))
    assert told == set(BY_UID) == {"prometheus", "loki", "jaeger"}


def test_a_log_line_leads_to_its_trace() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**kept, "OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "always_off"},
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = done.stderr.splitlines()
    (field,) = BY_UID["loki"]["jsonData"]["derivedFields"]
    match = re.search(field["matcherRegex"], line)
    assert match is not None, line
    assert match[1] == done.stdout.strip()
    # What the logs panel chooses lines by.
    panels = json.loads((FOLDER / "dashboards" / "modelserve-serving.json").read_text("utf-8"))["panels"]
    (query,) = [one["targets"][0]["expr"] for one in panels if one["type"] == "logs"]
    fields = dict(re.findall(r'\| (\w+)=~"([^"]+)"', query))
    said = json.loads(line)
    assert said["level"] in fields.pop("level").split("|")
    assert set(fields) <= set(said)


def test_an_exemplar_leads_to_its_trace() -> None:
    (destination,) = BY_UID["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert destination == {"name": "trace_id", "datasourceUid": "jaeger"}


def test_a_trace_leads_to_the_metrics_of_its_revision(world: Any) -> None:
    from modelserve.telemetry.conventions import MODEL, REVISION

    settings = BY_UID["jaeger"]["jsonData"]["tracesToMetrics"]
    span = {REVISION: "bert-ner-predictor-00001", MODEL: "bert-ner"}
    assert {one["key"] for one in settings["tags"]} == set(span)
    tags = ",".join(f'{one["value"]}="{span[one["key"]]}"' for one in settings["tags"])
    for one in settings["queries"]:
        # Grafana takes $$ in this file for one dollar, and puts the tags in.
        assert world.now(one["query"].replace("$$__tags", tags)), one["name"]
