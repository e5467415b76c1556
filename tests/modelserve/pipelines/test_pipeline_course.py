from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.pipelines.course import Course, End, Outcome, Status, Unit, Work
from modelserve.pipelines.definition.models import Pipeline, Step
from modelserve.pipelines.definition.order import needs_of
from modelserve.pipelines.running.driver import drive


def pipeline(*steps: Mapping[str, Any], output: Any = "steps") -> Pipeline:
    return Pipeline.model_validate(
        {
            "metadata": {"name": "p"},
            "spec": {
                "inputs": {"texts": {}},
                "models": {"m": {"url": "http://m"}},
                "steps": [{"model": "m", **step} for step in steps],
                "output": output,
            },
        }
    )


class Doing:
    """A worker whose answer is what it was asked, or that fails as it is told."""

    def __init__(self, failing: Mapping[Unit, str] | None = None) -> None:
        self._failing = failing or {}
        self.done: list[Work] = []
        self.at_once = self.most_at_once = 0

    async def do(self, step: Step, work: Work, *, failed: Callable[[str, int], Outcome]) -> Outcome:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        self.done.append(work)
        if work.unit in self._failing:
            return failed(self._failing[work.unit], 2)
        return Outcome(Status.SUCCEEDED, dict(work.inputs), tries=1)


def run(
    made: Pipeline,
    worker: Doing | None = None,
    *,
    texts: Any = ("a", "b"),
    record: Mapping[Unit, Outcome] | None = None,
) -> tuple[End, dict[Unit, Outcome]]:
    kept: dict[Unit, Outcome] = dict(record or {})

    async def keep(unit: Unit, outcome: Outcome) -> None:
        assert unit not in kept
        kept[unit] = outcome

    course = Course(made, {"texts": list(texts) if isinstance(texts, tuple) else texts})
    return asyncio.run(drive(course, record or {}, worker or Doing(), keep)), kept


def test_a_step_gets_what_those_before_it_gave() -> None:
    made = pipeline(
        {"name": "last", "inputs": {"x": ["steps.first.output.x", "inputs.texts[1]"]}},
        {"name": "first", "inputs": {"x": "inputs.texts[0]"}},
        output={"all": "steps.last.output.x", "how": "steps.first.status", "two": 2},
    )
    assert run(made)[0] == End({"all": ["a", "b"], "how": "succeeded", "two": 2})


def test_what_is_false_is_skipped_and_null_for_the_others() -> None:
    made = pipeline(
        {"name": "no", "when": "inputs.texts[?@ == 'z']"},
        {"name": "then", "inputs": {"x": "steps.no.output"}},
        output="[steps.no.status, steps.then.output.x]",
    )
    assert run(made)[0] == End(["skipped", None])


@pytest.mark.parametrize("zero", ["`0`", "`1`", "inputs.texts", "'x'", "`true`"])
def test_what_is_not_false_by_jmespath_is_done(zero: str) -> None:
    assert run(pipeline({"name": "s", "when": zero}, output="steps.s.status"))[0] == End("succeeded")


def test_a_list_is_done_item_by_item_and_no_more_at_a_time_than_it_says() -> None:
    worker = Doing()
    step = {"name": "s", "forEach": "inputs.texts", "inputs": {"x": "item", "n": "index"}, "parallel": 2}
    end, kept = run(pipeline(step, output="steps.s.output"), worker, texts=tuple("abcde"))
    assert end == End([{"x": text, "n": number} for number, text in enumerate("abcde")])
    assert worker.most_at_once == 2
    assert set(kept) == {Unit("s"), *(Unit("s", number) for number in range(5))}


def test_an_empty_list_is_done() -> None:
    step = {"name": "s", "forEach": "inputs.texts", "inputs": {"x": "item"}}
    assert run(pipeline(step, output="steps.s.output"), texts=())[0] == End([])


def test_what_is_no_list_fails_the_step() -> None:
    step = {"name": "s", "forEach": "inputs.texts"}
    assert "forEach gives str; a list is accepted" in run(pipeline(step), texts="a")[0].error


def test_an_item_that_fails_fails_the_step_and_says_which() -> None:
    worker = Doing({Unit("s", 1): "no"})
    step = {"name": "s", "forEach": "inputs.texts", "inputs": {"x": "item"}}
    end, kept = run(pipeline(step), worker, texts=tuple("abc"))
    assert end.error == "step s: 1 of 3 items failed, the first of them item 1: no"
    assert len(worker.done) == 3
    assert kept[Unit("s")].tries == 4


def test_where_failure_is_none_the_items_place_is_null() -> None:
    worker = Doing({Unit("s", 1): "no"})
    step = {"name": "s", "forEach": "inputs.texts", "inputs": {"x": "item"}, "onFailure": "continue"}
    end, kept = run(pipeline(step, output="steps.s.output"), worker)
    assert end == End([{"x": "a"}, None])
    assert kept[Unit("s")].status is Status.FELL_BACK


def test_a_value_stands_in_for_what_failed() -> None:
    worker = Doing({Unit("s"): "no", Unit("t", 0): "no"})
    made = pipeline(
        {"name": "s", "fallback": {"value": {"x": "inputs.texts[0]"}}},
        {
            "name": "t",
            "forEach": "inputs.texts",
            "fallback": {"value": ["item", "index"]},
            "inputs": {"x": "item"},
        },
        output="[steps.s, steps.t.output]",
    )
    first, items = run(made, worker)[0].output
    assert first == {"status": "fellBack", "output": {"x": "a"}, "error": "no"}
    assert items == [["a", 0], {"x": "b"}]


def test_a_value_that_is_null_stands_in_too() -> None:
    made = pipeline({"name": "s", "fallback": {"value": None}}, output="steps.s.status")
    assert run(made, Doing({Unit("s"): "no"}))[0] == End("fellBack")


def test_a_run_ends_with_the_first_failure_and_gives_up_the_rest() -> None:
    made = pipeline({"name": "s"}, {"name": "t", "needs": ["s"]}, {"name": "u", "needs": ["t"]})
    worker = Doing({Unit("s"): "no"})
    end, kept = run(made, worker)
    assert end.error == "step s: no"
    assert set(kept) == {Unit("s")}


def test_an_expression_that_cannot_be_computed_is_the_steps_failure() -> None:
    made = pipeline(
        {"name": "s", "inputs": {"x": "abs(inputs.texts)"}, "onFailure": "continue"}, output="steps.s"
    )
    said = run(made)[0].output
    assert said["status"] == "failed"
    assert "abs(inputs.texts)" in said["error"]


def test_an_output_that_cannot_be_computed_is_the_runs_failure() -> None:
    assert run(pipeline({"name": "s"}, output="abs(inputs.texts)"))[0].error.startswith("output: ")


NAMES = "abcdef"


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Pipeline, dict[Unit, str], list[str]]:
    """A pipeline without a cycle, what fails in it, and its inputs."""
    texts = draw(st.lists(st.text("xy", max_size=2), max_size=3))
    steps: list[dict[str, Any]] = []
    failing: dict[Unit, str] = {}
    for number, name in enumerate(NAMES[: draw(st.integers(1, 6))]):
        looks_at = draw(st.lists(st.sampled_from(NAMES[:number]), max_size=2)) if number else []
        is_each = draw(st.booleans())
        step: dict[str, Any] = {"name": name, "inputs": {one: f"steps.{one}.output" for one in looks_at}}
        if is_each:
            step |= {"forEach": "inputs.texts", "inputs": {**step["inputs"], "i": "item"}}
        if draw(st.booleans()):
            step["onFailure"] = "continue"
        if draw(st.integers(0, 4)) == 0:
            step["when"] = "inputs.texts"
        if draw(st.integers(0, 4)) == 0:
            step["fallback"] = {"value": "inputs.texts"}
        units = [Unit(name, index) for index in range(len(texts))] if is_each else [Unit(name)]
        failing |= {unit: "no" for unit in units if draw(st.integers(0, 5)) == 0}
        steps.append(step)
    return pipeline(*draw(st.permutations(steps))), failing, texts


@given(graphs())
def test_every_run_ends_and_does_each_unit_once_after_what_it_needs(
    made: tuple[Pipeline, dict[Unit, str], list[str]],
) -> None:
    definition, failing, texts = made
    worker = Doing(failing)
    end, kept = run(definition, worker, texts=texts)
    units = [work.unit for work in worker.done]
    assert len(units) == len(set(units))
    order = {unit: place for place, unit in enumerate(kept)}
    for step in definition.spec.steps:
        for name in needs_of(step):
            mine = [place for unit, place in order.items() if unit.step == step.name]
            assert not mine or order[Unit(name)] < min(mine)
    if not end.has_failed:
        assert {unit.step for unit in kept if unit.index < 0} == {step.name for step in definition.spec.steps}


@given(graphs(), st.data())
def test_whoever_goes_on_from_a_record_comes_to_the_same_end(
    made: tuple[Pipeline, dict[Unit, str], list[str]], data: st.DataObject
) -> None:
    definition, failing, texts = made
    end, kept = run(definition, Doing(failing), texts=texts)
    so_far = dict(list(kept.items())[: data.draw(st.integers(0, len(kept)))])
    worker = Doing(failing)
    again, known = run(definition, worker, texts=texts, record=so_far)
    assert not {work.unit for work in worker.done} & set(so_far)
    # Which of several failures is first depends on who was quicker.
    assert again.has_failed == end.has_failed
    if not end.has_failed:
        assert again == end
        assert known == kept
