"""The dashboards as they are checked in, and their queries with variables put in as Grafana does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheuses import PrometheusClient

_FOLDER = Path(__file__).parents[2] / "observability" / "grafana" / "dashboards"
BOARDS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text("utf-8")) for file in sorted(_FOLDER.glob("*.json"))
}
# A busy machine may take minutes from the first call to the last verdict.
BUILT_IN = {"interval": "4m", "__range": "5m", "__range_s": "300"}


def queries() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Of each query of Prometheus the name, the dashboard and the panel's target."""
    for uid, board in BOARDS.items():
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                if target["datasource"]["type"] == "prometheus":
                    yield f"{uid}: {panel['title']} {target['refId']}", uid, target


def marks() -> Iterator[tuple[str, str, str]]:
    """Of each annotation the name, the dashboard and the query."""
    for uid, board in BOARDS.items():
        for mark in board.get("annotations", {}).get("list", []):
            yield f"{uid}: {mark['name']}", uid, mark["expr"]


def choices(uid: str) -> list[dict[str, Any]]:
    """Variables whose values Prometheus has."""
    return [one for one in BOARDS[uid]["templating"]["list"] if one["type"] == "query"]


def fill(text: str, values: dict[str, str]) -> str:
    """Put variables in; one that has no value is a mistake."""
    return re.sub(r"\$\{?(\w+)\}?", lambda found: values[found[1]], text)


def given(uid: str) -> dict[str, str]:
    """Variables that have a value without Prometheus."""
    typed = {
        one["name"]: one["query"] for one in BOARDS[uid]["templating"]["list"] if one["type"] == "textbox"
    }
    return {**BUILT_IN, **typed}


def everything(uid: str) -> dict[str, str]:
    """All variables as they are where “All” is chosen."""
    return {**given(uid), **{one["name"]: one["allValue"] for one in choices(uid)}}


def chosen(prometheus: PrometheusClient, uid: str) -> dict[str, str]:
    """All variables with every value chosen that Prometheus has, as Grafana writes several."""
    values = given(uid)
    for variable in choices(uid):
        found = offered(prometheus, variable, values)
        values[variable["name"]] = f"({'|'.join(re.escape(one) for one in found)})".replace("\\", "\\\\")
    return values


def offered(prometheus: PrometheusClient, variable: dict[str, Any], values: dict[str, str]) -> list[str]:
    """What a variable can be."""
    match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
    assert match is not None, variable["query"]
    series, label = fill(match[1], values), match[2]
    found = prometheus.ask("series", **{"match[]": series})
    return sorted({one[label] for one in found if one.get(label)})
