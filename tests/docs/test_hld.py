"""HLD.md says what the code does: each name of its diagrams is looked up in the code, or got out of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

from documents import arrows, blocks
from prometheus_client import CollectorRegistry

from modelserve.canary.controller.metrics import CanaryMetrics
from modelserve.canary.judge.acting import Action
from modelserve.canary.judge.policy import OnInconclusive
from modelserve.canary.judge.verdicts import Finding, Judgement, Verdict
from modelserve.canary.rollout import RolloutState
from modelserve.canary.running.course import ENDS, Course, Phase, Sight, proceed
from modelserve.canary.running.plan import Plan, Step
from modelserve.drift.metrics import DriftMetrics
from modelserve.events.logged import PREFIX
from modelserve.events.sink import SinkMetrics
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.running.observing import PipelineMetrics
from modelserve.pipelines.store import ENDS as RUN_ENDS
from modelserve.pipelines.store import RunStatus, RunStore, new_run
from modelserve.server.dataplane import DataPlane
from modelserve.settings import ServerSettings
from modelserve.shadow.metrics import ShadowMetrics

ROOT = Path(__file__).parents[2]
HLD = ROOT / "HLD.md"
TEXT = HLD.read_text("utf-8")
DIAGRAMS = [block for block in blocks(HLD) if block.language == "mermaid"]
SHELVES = (
    "src",
    "predictors",
    "transformers",
    "explainers",
    "observability",
    "inferenceservices",
    "terraform",
)
EDGE = "[*]"


def _diagram(heading: str, kind: str) -> str:
    (found,) = [d.text for d in DIAGRAMS if d.heading == heading and d.text.startswith(kind)]
    return found


def test_every_part_has_a_diagram() -> None:
    headings = {"Context", "A request", "An event", "A canary", "Pipelines", "Packages", "AWS"}
    assert {d.heading for d in DIAGRAMS} == headings


def test_every_path_is_there() -> None:
    named = set(re.findall(rf"\b(?:{'|'.join(SHELVES)})/[\w./*-]*\w", TEXT))
    assert len(named) > 60
    assert not [path for path in sorted(named) if not (ROOT / path).exists()]


def test_every_metric_is_one_of_the_code() -> None:
    """The registries of all processes, as they are made for them."""
    registry = CollectorRegistry()
    DriftMetrics(registry, seconds=1.0)
    ShadowMetrics(registry)
    CanaryMetrics(registry)
    PipelineMetrics(registry)
    for prefix in ("modelserve_drift", "modelserve_shadow"):
        SinkMetrics(prefix, registry)
    server = DataPlane([], revision="r").metrics.registry
    known = {name for one in (registry, server) for name in _names(one)}
    named = set(re.findall(r"modelserve_[a-z_]*[a-z]", TEXT))
    assert len(named) > 15
    assert not named - known


def _names(registry: CollectorRegistry) -> Iterator[str]:
    for family in registry.collect():
        yield family.name
        if family.type == "counter":
            yield f"{family.name}_total"


def test_every_event_has_its_type() -> None:
    schemas = {p.stem for p in (ROOT / "src/modelserve/events/schemas").glob("*.json")}
    assert set(re.findall(r"dev\.modelserve(?:\.[a-z]+)+", TEXT)) == schemas
    assert set(re.findall(r"org\.kubeflow[\w.]+", TEXT)) == {
        f"{PREFIX}{side}" for side in ("request", "response")
    }


def test_ports_are_those_of_the_settings() -> None:
    defaults = {str(ServerSettings.model_fields[name].default) for name in ("http_port", "grpc_port")}
    assert set(re.findall(r":(\d{4})\b", TEXT)) == defaults
    assert "REST :8080" in TEXT
    assert ServerSettings.model_fields["http_port"].default == 8080


def test_the_canary_goes_where_the_diagram_says() -> None:
    """Every way out of a phase that the course can take, whatever is seen, and no other."""
    ways = arrows(_diagram("A canary", "stateDiagram"))
    inner = {way for way in ways if EDGE not in way}
    assert {name for way in inner for name in way} == {phase.value for phase in Phase}
    assert {end for end, edge in ways if edge == EDGE} == {phase.value for phase in ENDS}
    assert inner == set(_taken())


def _taken() -> Iterator[tuple[str, str]]:
    whole = RolloutState("one", None, 0, "f", is_ready=True, failure="")
    mine = replace(whole, canary="two")
    plan = Plan((Step(10, 60, 600), Step(50, 60, 600)))
    rolled_out = [mine, replace(mine, canary="three"), replace(whole, stable="two")]
    judgements = [None, *(Judgement.of([Finding("errors", verdict, "said")]) for verdict in Verdict)]
    seen = product(rolled_out, (0, 10, 50), ("", "crashed"), (True, False), (1.0, 100.0, 1000.0), judgements)
    for state, percent, failure, is_well, now, judgement in seen:
        observed = replace(state, percent=percent, failure=failure, is_ready=is_well)
        sight = Sight(now, observed, judgement, is_measured=is_well)
        for phase, step, policy in product(set(Phase) - ENDS, (0, 1), OnInconclusive):
            after, _ = proceed(Course(mine, phase, step, 0.0, 0.0), sight, plan, policy)
            if after.phase is not phase:
                yield phase.value, after.phase.value


def test_the_judge_says_what_the_diagram_says() -> None:
    text = _diagram("A canary", "flowchart")
    (verdicts,) = re.findall(r'verdict\{"(.*)"\}', text)
    assert verdicts.split("<br/>") == [verdict.value for verdict in Verdict]
    (actions,) = re.findall(r'act\["(.*?)<br/>', text)
    assert actions.split(", ") == [action.value for action in Action]


def test_a_run_goes_where_the_diagram_says(tmp_path: Path) -> None:
    """Each thing that can be done with a run, from each state that it can be in, on a real store."""
    ways = arrows(_diagram("Pipelines", "stateDiagram"))
    inner = {way for way in ways if EDGE not in way}
    assert {name for way in inner for name in way} == {status.value for status in RunStatus}
    # A failed run has an end too, and a way back from it.
    assert {end for end, edge in ways if edge == EDGE} == {s.value for s in RUN_ENDS} - {"failed"}
    store = RunStore(f"sqlite:///{tmp_path / 'runs.db'}")
    try:
        assert inner == set(_run_ways(store))
    finally:
        store.close()


def _run_ways(store: RunStore) -> Iterator[tuple[str, str]]:
    spec = {"models": {"m": {"url": "http://m"}}, "steps": [{"name": "a", "model": "m"}], "output": None}
    pipeline = Pipeline.model_validate({"metadata": {"name": "p"}, "spec": spec})
    deeds = ("claim", "release", "cancel", "resend", *(status.value for status in RUN_ENDS))
    for history in product(deeds, repeat=3):
        run = store.add(new_run(pipeline, {}, now=0.0))
        claim, before = None, run.status
        for deed in history:
            if deed == "claim":
                claim = store.claim(run.id, "w", now=1.0, lease_seconds=10.0) or claim
            elif deed == "cancel":
                store.cancel(run.id, now=1.0)
            elif deed == "resend":
                store.resend(run.id, now=1.0)
            elif claim is None or before is not RunStatus.RUNNING:
                continue
            elif deed == "release":
                store.release(claim, now=1.0)
            else:
                store.finish(claim, RunStatus(deed), now=1.0)
            found = store.get(run.id)
            assert found is not None
            if found.status is not before:
                yield before.value, found.status.value
            before = found.status


def test_arrows_between_packages_are_imports() -> None:
    diagram = _diagram("Packages", "flowchart")
    imports, drawn = _imports(), arrows(diagram)
    assert not drawn - imports
    assert not {(to, source) for source, to in _reached(drawn)} & imports
    units = {path.parent.name for path in ROOT.glob("*/*/__init__.py") if path.parts[-3] in SHELVES} - {
        "modelserve"
    }
    assert units <= {name for way in drawn for name in way}
    assert {to for _, to in arrows(diagram, dotted=True)} == {
        path.parent.name for path in ROOT.glob("predictors/*/__init__.py")
    }


def _imports() -> set[tuple[str, str]]:
    """Which part of ``modelserve`` or unit imports which, by their names."""
    found = set()
    for shelf in ("src", "predictors", "transformers", "explainers", "observability"):
        for file in (ROOT / shelf).rglob("*.py"):
            mine = _part(".".join(file.relative_to(ROOT / shelf).with_suffix("").parts))
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module:
                    found.add((mine, _part(node.module)))
                elif isinstance(node, ast.Import):
                    found |= {(mine, _part(alias.name)) for alias in node.names}
    return {(mine, other) for mine, other in found if mine != other}


def _part(module: str) -> str:
    names = module.split(".")
    return names[1] if names[0] == "modelserve" and len(names) > 1 else names[0]


def _reached(ways: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Whoever is reached from whom, over any number of arrows."""
    reached = set(ways)
    while further := {(a, d) for a, b in reached for c, d in ways if b == c} - reached:
        reached |= further
    return reached


def test_arrows_between_terraform_modules_are_outputs_that_are_taken() -> None:
    text = "".join(
        p.read_text("utf-8") for p in sorted((ROOT / "terraform/modules/environment").glob("*.tf"))
    )
    taken = set()
    for name, body in re.findall(r'^module "(\w+)" \{\n(.*?)^\}', text, re.M | re.S):
        taken |= {(source, name) for source in re.findall(r"module\.(\w+)\.", body)}
    diagram = _diagram("AWS", "flowchart")
    assert arrows(diagram) == taken
    boxes = set(re.findall(r'^  (\w+)\["\1<br/>', diagram, re.M))
    modules = {p.parent.name for p in (ROOT / "terraform/modules").glob("*/main.tf")} - {"environment"}
    assert boxes == modules
