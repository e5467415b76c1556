"""Steps in any order that need one another in any way, as a graph without a cycle and with one."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from modelserve.pipelines.course import Course, Outcome, Status, Unit
from modelserve.pipelines.definition.order import needs_of
from modelserve.pipelines.definition.places import DefinitionError
from modelserve.pipelines.definition.reading import parse_pipeline

WAYS = ("needs", "inputs", "parameters", "when", "forEach", "fallback")


@dataclass(frozen=True)
class Edge:
    """A step that needs another, and how it says so."""

    step: str
    needs: str
    way: str


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[Edge]]:
    names = [f"s{number}" for number in range(draw(st.integers(2, 6)))]
    edges = [
        Edge(step, other, draw(st.sampled_from(WAYS)))
        for number, step in enumerate(names)
        for other in draw(st.lists(st.sampled_from(names[:number]), unique=True) if number else st.just([]))
    ]
    return names, edges


def definition(names: list[str], edges: list[Edge], order: random.Random) -> str:
    steps: dict[str, dict[str, Any]] = {name: {"name": name, "model": "m"} for name in names}
    for edge in edges:
        step, output = steps[edge.step], f"steps.{edge.needs}.output"
        if edge.way == "needs":
            step.setdefault("needs", []).append(edge.needs)
        elif edge.way == "fallback":
            step.setdefault("fallback", {"value": []})["value"].append(output)
        elif edge.way in ("when", "forEach"):
            step[edge.way] = f"{step[edge.way]} || {output}" if edge.way in step else output
        else:
            step.setdefault(edge.way, {})[edge.needs] = output
    whole = list(steps.values())
    order.shuffle(whole)
    spec = {"models": {"m": {"url": "http://m"}}, "steps": whole, "output": f"steps.{names[-1]}.output"}
    return yaml.safe_dump({"metadata": {"name": "p"}, "spec": spec})


@settings(deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_steps_are_done_after_all_that_they_need(
    graph: tuple[list[str], list[Edge]], order: random.Random
) -> None:
    names, edges = graph
    pipeline = parse_pipeline(definition(names, edges, order), "p.yaml")
    for step in pipeline.spec.steps:
        assert needs_of(step) == {edge.needs for edge in edges if edge.step == step.name}
    course, record = Course(pipeline, {}), dict[Unit, Outcome]()
    while course.end(record) is None:
        done = {unit.step for unit in record}
        ready = course.ready(record)
        assert all({edge.needs for edge in edges if edge.step == step.name} <= done for step in ready)
        record[Unit(order.choice(ready).name)] = Outcome(Status.SUCCEEDED, [1])
    assert {unit.step for unit in record} == set(names)


@settings(deadline=None)
@given(graphs(), st.randoms(use_true_random=False), st.sampled_from(WAYS), st.data())
def test_an_edge_back_is_told_as_a_cycle(
    graph: tuple[list[str], list[Edge]], order: random.Random, way: str, data: st.DataObject
) -> None:
    names, edges = graph
    last = data.draw(st.sampled_from(names))
    first, path = last, [last]
    while before := [edge.needs for edge in edges if edge.step == first]:
        first = data.draw(st.sampled_from(before))
        path.append(first)
        if data.draw(st.booleans()):
            break
    text = definition(names, [*edges, Edge(first, last, way)], order)
    with pytest.raises(DefinitionError, match="these steps wait for each other: ") as told:
        parse_pipeline(text, "p.yaml")
    (mistake,) = told.value.mistakes
    cycle = mistake.message.rpartition(": ")[2].split(" -> ")
    assert cycle[0] == cycle[-1]
    known = {(edge.step, edge.needs) for edge in edges} | {(first, last)}
    assert all((step, cycle[place + 1]) in known for place, step in enumerate(cycle[:-1]))
    line = text.splitlines()[mistake.line - 1]
    assert line[mistake.column - 1 :] in cycle
