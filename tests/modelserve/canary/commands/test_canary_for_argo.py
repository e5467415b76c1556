"""What docs/canary tells of Argo Rollouts: its metrics read what the command says and how it ends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelserve.canary.running.course import Phase
from modelserve.cli import main

PAGE = Path(__file__).parents[4] / "docs" / "canary" / "README.md"


@pytest.fixture
def providers() -> tuple[dict[str, Any], dict[str, Any]]:
    """The metric of a job, and the one of a page."""
    section = PAGE.read_text("utf-8").partition("## From Argo Rollouts")[2]
    job, web = (
        yaml.safe_load(block)["metrics"][0] for block in re.findall(r"```yaml\n(.*?)```", section, re.S)
    )
    return job, web


def test_a_job_fails_with_its_canary(
    providers: Any, cluster: Any, prometheus: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    address, series = prometheus
    series.append({"metric": {"pod": "one-a"}, "value": [0, "1"]})
    cluster.failure = "it crashes"
    (container,) = providers[0]["provider"]["job"]["spec"]["template"]["spec"]["containers"]
    program, *arguments = container["command"]
    assert program == "modelserve"
    there = {"bert-ner": "names", "--prometheus=http://prometheus:9090": f"--prometheus={address}"}
    assert main([there.get(one, one) for one in arguments]) == 1
    assert "the canary does not start: it crashes" in capsys.readouterr().out


def test_a_page_has_what_is_asked_for(
    providers: Any, cluster: Any, prometheus: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    address, series = prometheus
    series.append({"metric": {"pod": "one-a"}, "value": [0, "1"]})
    cluster.failure = "it crashes"
    assert main(["canary", "run", "names", f"--prometheus={address}", "--json"]) == 1
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    metric = providers[1]
    (key,) = re.findall(r"^\{\$\.(\w+)\}$", metric["provider"]["web"]["jsonPath"])
    phases = re.findall(r'"(\w+)"', metric["failureCondition"])
    assert said[key] in phases
    assert {Phase(phase) for phase in phases} == {Phase.ROLLED_BACK, Phase.SUPERSEDED}
