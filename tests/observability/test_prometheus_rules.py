"""The rules, by promtool, and against what the code, the judge and the price list say."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from modelserve.canary.controller.metrics import CanaryMetrics
from modelserve.canary.sources.names import MODELSERVE
from modelserve.drift.metrics import DriftMetrics
from modelserve.events.sink.metrics import SinkMetrics
from modelserve.pipelines.running.observing import PipelineMetrics
from modelserve.pipelines.serving.backlog import Backlog
from modelserve.pipelines.store import RunStore
from modelserve.pipelines.working.metrics import WorkerMetrics
from modelserve.server.metrics import Metrics
from modelserve.server.mirror import Mirror
from modelserve.server.mirror_outputs import FileOutput
from modelserve.shadow.metrics import ShadowMetrics
from modelserve.telemetry.buckets import SECONDS

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "observability" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"
FILES = sorted((FOLDER / "rules").glob("*.yaml"))
TESTS = sorted((FOLDER / "tests").glob("*.yaml"))
RULES: list[Object] = [
    rule for file in FILES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDS = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
EXPRESSIONS = [rule["expr"] for rule in RULES]
# Of the scrape: what the operator and the monitors give every series.
OF_THE_TARGET = {"namespace", "pod", "container", "job", "instance", "component", "service"}
# What other programs tell, and where it was read. None of them runs here.
OTHERS = {
    # knative.dev/serving v0.48.2: pkg/queue/request_metric.go, pkg/autoscaler/scaling/metrics.go,
    # pkg/reconciler/autoscaling/kpa/metrics.go
    "kn_serving_invocation_duration_seconds_bucket",
    "kn_serving_invocation_duration_seconds_count",
    "kn_revision_pods_desired",
    "kn_revision_pods_count",
    "kn_revision_concurrency_stable",
    "kn_revision_concurrency_target",
    # kubernetes/kube-state-metrics: docs/metrics/workload
    "kube_pod_container_resource_requests",
    "kube_pod_container_resource_limits",
    "kube_pod_container_status_restarts_total",
    "kube_pod_status_unschedulable",
    "kube_horizontalpodautoscaler_status_current_replicas",
    "kube_horizontalpodautoscaler_spec_max_replicas",
    # cAdvisor, in the kubelet
    "container_cpu_cfs_throttled_periods_total",
    "container_cpu_cfs_periods_total",
    "container_memory_working_set_bytes",
    # NVIDIA/dcgm-exporter: etc/dcp-metrics-included.csv
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_FB_FREE",
    "DCGM_FI_DEV_XID_ERRORS",
}


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def cases() -> Iterator[tuple[str, bool]]:
    """Of which alert each case is, and whether it fires there."""
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                assert test["name"].startswith(f"{case['alertname']}: ")
                yield case["alertname"], bool(case["exp_alerts"])


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every series name that this package can expose, with its labels."""
    server = Metrics("r", queue_depth=int)
    mirror = Mirror(FileOutput(tmp_path_factory.mktemp("log") / "events"))
    mirror.start(server.registry, revision="r")
    mirror.close()
    detector, shadow, controller, pipelines = (CollectorRegistry() for _ in range(4))
    DriftMetrics(detector, seconds=1)
    ShadowMetrics(shadow)
    for prefix, registry in (("modelserve_drift", detector), ("modelserve_shadow", shadow)):
        SinkMetrics(prefix, registry).watch(messages=int, size=int)
    CanaryMetrics(controller)
    PipelineMetrics(pipelines)
    WorkerMetrics(pipelines)
    store = RunStore(f"sqlite:///{tmp_path_factory.mktemp('runs') / 'runs.db'}")
    pipelines.register(Backlog(store, 1))
    store.close()
    found: dict[str, set[str]] = {}
    for registry in (server.registry, detector, shadow, controller, pipelines):
        # A metric with labels has no sample before it is used; the library knows its names before.
        for name, collector in registry._names_to_collectors.items():
            found[name] = {"le", *getattr(collector, "_labelnames", ())}
    return found


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Our metrics in a query, each with the labels that it is chosen by."""
    for name, inner in re.findall(r"\b(modelserve_[a-z0-9_]+)(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*[=!]", re.sub(r'"[^"]*"', '""', inner)))


def test_the_rules_are_right() -> None:
    promtool("check", "rules", *map(str, FILES))


@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(file: Path) -> None:
    promtool("test", "rules", str(file))


def test_every_alert_is_shown_firing_and_silent() -> None:
    assert len(ALERTS) == len([rule for rule in RULES if "alert" in rule]), "two have one name"
    shown = set(cases())
    assert shown == {(name, fires) for name in ALERTS for fires in (True, False)}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_to_do(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{name}.md")
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert [text.count(f"**{part}") for part in ("Means.**", "Look at**", "Mend**")] == [1, 1, 1]
    assert f"[{name}]({name}.md)" in (RUNBOOKS / "README.md").read_text()


def test_runbooks_are_of_alerts_that_are_there_and_lead_somewhere() -> None:
    assert {path.stem for path in RUNBOOKS.glob("ModelServe*.md")} == set(ALERTS)
    for file in RUNBOOKS.glob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", file.read_text()):
            assert (file.parent / link).exists(), f"{file.name}: {link}"


def test_our_metrics_are_exposed_with_the_labels_that_they_are_chosen_by(
    exposed: dict[str, set[str]],
) -> None:
    asked = [(one, expression) for expression in EXPRESSIONS for one in selectors(expression)]
    assert len({name for (name, _), _ in asked}) > 25
    for (name, labels), expression in asked:
        assert name in exposed, f"nothing exposes {name}: {expression}"
        assert labels <= exposed[name] | OF_THE_TARGET, f"{name} has no such label: {expression}"


def test_runbooks_name_metrics_and_records_that_are_there(exposed: dict[str, set[str]]) -> None:
    known = {*exposed, *RECORDS}
    for file in RUNBOOKS.glob("*.md"):
        named = re.findall(r"`((?:modelserve|model|slo|knative|pipeline)[_:][a-z0-9_:]+)", file.read_text())
        families = {name.removesuffix("_total") for name in known}
        assert not [n for n in named if n not in known and n.removesuffix("_total") not in families], file


def test_metrics_of_others_are_those_that_were_looked_up() -> None:
    bare = [re.sub(r'"[^"]*"', '""', expression) for expression in EXPRESSIONS]
    found = set(re.findall(r"\b(?:kn|kube|container|DCGM)_\w+", " ".join(bare)))
    assert found - {"kn_revision_name"} == OTHERS


def test_records_that_are_asked_for_are_made_before() -> None:
    made: set[str] = set()
    for name, expression in RECORDS.items():
        assert set(re.findall(r"\b[a-z]+:[a-z0-9_]+:[a-z0-9_]+\b", expression)) <= made, name
        made.add(name)
    for name, alert in ALERTS.items():
        assert set(re.findall(r"\b[a-z]+:[a-z0-9_]+:[a-z0-9_]+\b", alert["expr"])) <= made, name


def test_errors_are_what_the_canary_judge_calls_errors() -> None:
    said = {found for e in EXPRESSIONS for found in re.findall(r'outcome!~"([^"]+)"', e)}
    (outcomes,) = said
    known = set(outcomes.split("|"))
    assert not any(MODELSERVE.is_error(one) for one in known)
    faults = ("internal", "overloaded", "predictor_failed", "unavailable", "deadline_exceeded")
    for one in (*faults, *known, "ok", "invalid_input", "not_found", "too_large", "cancelled"):
        assert MODELSERVE.is_error(one) == (one not in known)


def test_a_slow_call_is_told_by_an_edge_of_the_histogram() -> None:
    edges = {found for e in EXPRESSIONS for found in re.findall(r'le="([^"]+)"', e)}
    assert edges == {"0.5"}
    assert 0.5 in SECONDS


def test_burn_rates_have_their_two_windows_and_budgets() -> None:
    pairs = {
        "Fast": [("14.4", "1h", "5m"), ("6", "6h", "30m")],
        "Slow": [("3", "1d", "2h"), ("1", "3d", "6h")],
    }
    for kind, budget, name in (("errors", "0.001", "Errors"), ("slow", "0.01", "Slow")):
        for speed, windows in pairs.items():
            expression = ALERTS[f"ModelServe{name}Burn{speed}"]["expr"]
            found = re.findall(rf"slo:{kind}:ratio_rate(\w+) > ([\d.]+) \* ([\d.]+)", expression)
            assert found == [(w, factor, budget) for factor, *both in windows for w in both]
        assert RECORDS[f"slo:{kind}:budget_left_30d"] == f"1 - slo:{kind}:ratio_rate30d / {budget}"


def test_costs_are_those_of_the_price_list() -> None:
    prices = json.loads((ROOT / "src/modelserve/cost/prices/eu-central-1.json").read_text())
    hour = prices["machines"]["ec2"]["usd_per_hour"]
    core, gib, gpu = map(float, re.findall(r"(0\.\d+) \*", RECORDS["modelserve:cost_usd_per_hour:sum"]))
    assert 4 * core + 16 * gib == pytest.approx(hour["m7i.xlarge"])
    assert 8 * core + 16 * gib == pytest.approx(hour["c7i.2xlarge"])
    assert 8 * core + 32 * gib + gpu == pytest.approx(hour["g6.2xlarge"])
