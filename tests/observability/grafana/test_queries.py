"""Every question of every dashboard, put to a real Prometheus."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from dashboards import BOARDS, choices, chosen, everything, fill, given, marks, offered, queries


def answer(world: Any, target: dict[str, Any], query: str) -> list[float]:
    """All numbers that a panel gets."""
    if target.get("instant"):
        return [float(one["value"][1]) for one in world.now(query)]
    found = world.ask("query_range", query=query, start=world.at - 20, end=world.at, step=1)["result"]
    return [float(value) for one in found for _, value in one["values"]]


@pytest.mark.parametrize(("uid", "target"), [pytest.param(*one, id=name) for name, *one in queries()])
def test_a_query_has_an_answer(world: Any, uid: str, target: dict[str, Any]) -> None:
    for values in (everything(uid), chosen(world, uid)):
        query = fill(target["expr"], values)
        numbers = answer(world, target, query)
        assert [number for number in numbers if math.isfinite(number)], query


@pytest.mark.parametrize("uid", list(BOARDS))
def test_a_variable_has_values(world: Any, uid: str) -> None:
    values = everything(uid)
    empty = [one["name"] for one in choices(uid) if not offered(world, one, values)]
    assert not empty


@pytest.mark.parametrize(("uid", "query"), [pytest.param(*one, id=name) for name, *one in marks()])
def test_canaries_and_drift_are_marked(world: Any, uid: str, query: str) -> None:
    assert world.now(fill(query, everything(uid)))


def expression(uid: str, title: str, place: int = 0) -> str:
    panels = [one for one in BOARDS[uid]["panels"] if one["title"] == title]
    assert len(panels) == 1
    return fill(panels[0]["targets"][place]["expr"], everything(uid))


def test_failures_are_those_of_the_service(world: Any) -> None:
    query = expression("modelserve-serving", "Share of calls that failed")
    # In each round three calls are answered and one is refused; the canary fails one more.
    canary = world.value(query, revision="bert-ner-predictor-00002")
    assert canary == pytest.approx(1 / 5, abs=0.05)
    assert world.value(query, revision="bert-ner-predictor-00001") == 0
    difference = world.value(expression("modelserve-canary", "Failures more than stable"))
    assert difference == pytest.approx(canary, abs=0.02)


def test_the_budget_is_what_the_failures_leave(world: Any) -> None:
    failed = world.value(expression("modelserve-serving", "Calls that failed"))
    left = world.value(expression("modelserve-serving", "Error budget left"))
    assert failed > 0.05
    assert left == pytest.approx(1 - failed / 0.001, rel=0.05)


def test_the_verdict_is_shown_by_its_name(world: Any) -> None:
    panels = BOARDS["modelserve-canary"]["panels"]
    (panel,) = [one for one in panels if one["title"] == "The judge's verdict"]
    names = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    place = world.value(expression("modelserve-canary", "The judge's verdict"))
    assert names[f"{place:g}"]["text"] == "fail"


def test_the_shares_of_the_calls_are_of_one_whole(world: Any) -> None:
    query = expression("modelserve-canary", "Calls by revision, as they arrive")
    assert world.value(f"sum({query})") == pytest.approx(1)


def test_the_cost_is_that_of_what_is_reserved(world: Any) -> None:
    prices = given("modelserve-cost")
    core, gib, gpu = (float(prices[name]) for name in ("core", "gib", "accelerator"))
    query = expression("modelserve-cost", "USD an hour by revision")
    assert world.value(query, revision="bert-ner-predictor-00001") == pytest.approx(1.5 * core + 2 * gib)
    assert world.value(query, revision="bert-ner-predictor-00002") == pytest.approx(2 * core + 4 * gib + gpu)
    total = world.value(expression("modelserve-cost", "USD an hour"))
    assert total == pytest.approx(3.5 * core + 6 * gib + gpu)
    unreserved = world.value(expression("modelserve-cost", "Paid and reserved by nobody"))
    assert unreserved == pytest.approx((12 - 4.5) * core + (48 - 7) * gib)


def test_a_point_of_the_latency_leads_to_a_trace(world: Any) -> None:
    query = expression("modelserve-serving", "Latency by revision", 1)
    found = world.ask("query_exemplars", query=query, start=world.at - 300, end=world.at)
    traces = {exemplar["labels"]["trace_id"] for one in found for exemplar in one["exemplars"]}
    assert traces
    assert all(re.fullmatch("[0-9a-f]{32}", trace) for trace in traces)


def test_no_metric_of_ours_is_left_out(world: Any) -> None:
    ours = '{__name__=~"modelserve_.+",__name__!~".+_created"}'
    told = {one["__name__"] for one in world.ask("series", **{"match[]": ours})}
    panels = [one for board in BOARDS.values() for one in board["panels"]]
    asked = "\n".join(target["expr"] for one in panels for target in one.get("targets", []))
    left_out = {name for name in told if re.sub("_(bucket|sum|count)$", "", name) not in asked}
    assert not left_out
