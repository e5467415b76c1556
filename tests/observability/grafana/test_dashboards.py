"""The form of what is checked in: nothing that Grafana would show as an error or leave out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelserve.canary.sources.names import MODELSERVE
from modelserve.telemetry.buckets import SECONDS

FOLDER = Path(__file__).parents[3] / "observability" / "grafana" / "dashboards"
BOARDS = {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(FOLDER.glob("*.json"))}
BUILT_IN = {"__range", "__range_s", "__url_time_range", "__field"}
# Those of Grafana's that panels have, as packages/grafana-data/src/valueFormats/categories.ts has them.
UNITS = {"percentunit", "percent", "short", "s", "bytes", "reqps", "cps", "ops", "watt", "celsius", "rothz"}
UNITS |= {"joule", "currencyUSD"}


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (one for one in board["panels"] if one["type"] != "row")


def variables(board: dict[str, Any]) -> list[str]:
    return [one["name"] for one in board["templating"]["list"]]


@pytest.fixture(params=list(BOARDS))
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = BOARDS[request.param]
    return found


def test_there_is_one_for_each_concern() -> None:
    assert {uid.removeprefix("modelserve-") for uid in BOARDS} == {
        *("serving", "canary", "drift", "pipelines", "gpu", "cost")
    }
    assert all(board["uid"] == name for name, board in BOARDS.items())


def test_each_panel_says_what_to_do(board: dict[str, Any]) -> None:
    for panel in panels(board):
        assert len(panel["description"]) > 8, panel["title"]
        assert panel["targets"], panel["title"]
        if panel["type"] != "logs":
            assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]


def test_panels_are_numbered_and_do_not_overlap(board: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in board["panels"]]
    assert numbers == list(range(1, len(numbers) + 1))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        cells = {(column, place["y"] + down) for column in columns for down in range(place["h"])}
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_variable_is_there_and_used(board: dict[str, Any]) -> None:
    text = json.dumps([board["panels"], board["annotations"]])
    used = set(re.findall(r"\$\{?(\w+)", text)) - BUILT_IN
    asked = set(re.findall(r"\$\{?(\w+)", json.dumps(board["templating"]))) - {"__all"}
    assert used <= set(variables(board))
    assert set(variables(board)) <= used | asked


def test_there_are_the_usual_variables() -> None:
    for uid, board in BOARDS.items():
        assert {"datasource", "namespace", "interval"} <= set(variables(board)), uid
    for uid in ("serving", "canary", "drift", "gpu", "cost"):
        assert {"model", "revision"} <= set(variables(BOARDS[f"modelserve-{uid}"]))


def test_data_comes_from_sources_that_are_provisioned(board: dict[str, Any]) -> None:
    told = [one["datasource"] for panel in panels(board) for one in (panel, *panel["targets"])]
    told += [one["datasource"] for one in board["annotations"].get("list", [])]
    told += [one["datasource"] for one in board["templating"]["list"] if one["type"] == "query"]
    assert {(one["type"], one["uid"]) for one in told} <= {
        ("prometheus", "${datasource}"),
        ("loki", "loki"),
    }


def test_dashboards_lead_to_each_other(board: dict[str, Any]) -> None:
    (link,) = board["links"]
    assert link["type"] == "dashboards"
    assert set(link["tags"]) <= set(board["tags"])
    assert link["includeVars"]
    assert link["keepTime"]
    for panel in panels(board):
        for found in panel["fieldConfig"]["defaults"].get("links", []) if "fieldConfig" in panel else []:
            uid, _, asked = found["url"].removeprefix("/d/").partition("?")
            needed = re.findall(r"var-(\w+)=\$\{__field\.labels\.(\w+)\}", asked)
            assert {name for name, _ in needed} <= set(variables(BOARDS[uid]))
            for target in panel["targets"]:
                kept = re.search(r"by \(([\w, ]+)\)", target["expr"])
                assert kept is not None
                assert {label for _, label in needed} <= set(kept[1].split(", ")), panel["title"]


def test_canaries_and_drift_are_marked_where_models_are_chosen(board: dict[str, Any]) -> None:
    marks = [one["name"] for one in board["annotations"].get("list", [])]
    assert marks == (["Canaries", "Failed canaries", "Drift"] if "model" in variables(board) else [])


def test_latencies_lead_to_traces() -> None:
    for uid in ("modelserve-serving", "modelserve-canary"):
        targets = [target for panel in panels(BOARDS[uid]) for target in panel["targets"]]
        with_points = [target["expr"] for target in targets if target.get("exemplar")]
        assert with_points
        assert all("modelserve_request_seconds_bucket" in query for query in with_points)


def test_failures_are_the_judges() -> None:
    asked = [
        target["expr"] for board in BOARDS.values() for one in panels(board) for target in one["targets"]
    ]
    found = set(re.findall(r'outcome!~"([^"]+)"', "\n".join(asked)))
    assert len(found) == 1
    (faults,) = found
    assert not any(MODELSERVE.is_error(outcome) for outcome in faults.split("|"))
    for outcome in ("internal", "overloaded", "unavailable", "deadline_exceeded"):
        assert MODELSERVE.is_error(outcome)
        assert outcome not in faults.split("|")


def test_the_objective_is_an_edge_of_the_histogram() -> None:
    text = json.dumps(BOARDS["modelserve-serving"]).replace('\\"', '"')
    edges = {float(edge) for edge in re.findall(r'le="([\d.]+)"', text)}
    assert edges
    assert edges <= set(SECONDS)
