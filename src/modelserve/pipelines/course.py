"""The course of a run, as pure functions of what was recorded of it: what is next, and how it ends.

Whoever runs a pipeline records an outcome for each unit of work, and asks again. A run that somebody else
began goes on from the same record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from modelserve.errors import InvalidInput
from modelserve.pipelines.definition.expressions import Json, evaluate, is_true
from modelserve.pipelines.definition.models import Pipeline, Step
from modelserve.pipelines.definition.order import needs_of


class Status(str, Enum):
    """How a unit, and so a step, came out."""

    SUCCEEDED = "succeeded"
    FELL_BACK = "fellBack"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """The least that is done and recorded: a step, or one item of a step with ``forEach``.

    Attributes:
        step: its name.
        index: of the item; -1 is the step itself.
    """

    step: str
    index: int = -1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a unit.

    Attributes:
        status: in a word.
        output: null where there is none.
        error: why it failed, or why its fallback was taken; empty where it did not.
        tries: that it took; 0 where nothing was called.
    """

    status: Status
    output: Json = None
    error: str = ""
    tries: int = 0


Record = Mapping[Unit, Outcome]
"""What is known of a run's units. A step is settled by its own unit, whatever its items have."""


def unit_form(unit: Unit, outcome: Outcome) -> dict[str, Json]:
    """A step, or one of its items, as people and programs are told of it; a step's index is null."""
    return {
        "step": unit.step,
        "index": None if unit.index < 0 else unit.index,
        "status": outcome.status.value,
        "output": outcome.output,
        "error": outcome.error or None,
        "tries": outcome.tries,
    }


@dataclass(frozen=True, slots=True)
class Work:
    """A unit that can be done now, with the values of its inputs and parameters."""

    unit: Unit
    inputs: Mapping[str, Json]
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended by itself: its output, or why it failed."""

    output: Json = None
    error: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether a step that the run cannot do without failed."""
        return bool(self.error)


class Course:
    """A pipeline's course with one run's inputs.

    Args:
        pipeline: a definition without mistakes.
        inputs: of the run, with defaults filled in.
    """

    def __init__(self, pipeline: Pipeline, inputs: Mapping[str, Json]) -> None:
        self._spec, self._inputs = pipeline.spec, inputs
        self._needs = {step.name: needs_of(step) for step in pipeline.spec.steps}
        self.steps: Mapping[str, Step] = {step.name: step for step in pipeline.spec.steps}

    def ready(self, record: Record) -> list[Step]:
        """Steps that are not settled and whose needs are, in the order of the definition."""
        return [
            step
            for step in self._spec.steps
            if Unit(step.name) not in record and all(Unit(name) in record for name in self._needs[step.name])
        ]

    def begin(self, step: Step, record: Record) -> Outcome | list[Work]:
        """A step's work, items that are recorded left out; or its outcome where there is nothing to do.

        Args:
            step: one that is ready.
            record: of the run.
        """
        context = self._context(record)
        try:
            if step.when is not None and not is_true(evaluate(step.when, context)):
                return Outcome(Status.SKIPPED)
            if step.for_each is None:
                return [_work(step, -1, context)]
            items = evaluate(step.for_each, context)
            if not isinstance(items, list):
                raise InvalidInput(f"forEach gives {type(items).__name__}; a list is accepted")
            works = [
                _work(step, index, {**context, "item": item, "index": index})
                for index, item in enumerate(items)
                if Unit(step.name, index) not in record
            ]
        except InvalidInput as error:
            return self._failed(step, context, str(error))
        return works or self.join(step, record)

    def join(self, step: Step, record: Record) -> Outcome:
        """The outcome of a step with ``forEach`` all of whose items are recorded.

        An item that failed fails the step, unless the step's failure is no failure of the run: then its
        place has null.
        """
        outcomes = self._items(step, record)
        failed = [index for index, one in enumerate(outcomes) if one.status is Status.FAILED]
        tries = sum(one.tries for one in outcomes)
        if failed and step.on_failure == "fail":
            first = outcomes[failed[0]].error
            said = (
                f"{len(failed)} of {len(outcomes)} items failed, the first of them item {failed[0]}: {first}"
            )
            return Outcome(Status.FAILED, None, said, tries)
        fell_back = any(one.status is not Status.SUCCEEDED for one in outcomes)
        return Outcome(
            Status.FELL_BACK if fell_back else Status.SUCCEEDED,
            [one.output for one in outcomes],
            next((one.error for one in outcomes if one.error), ""),
            tries,
        )

    def failed(self, work: Work, error: str, tries: int, record: Record) -> Outcome:
        """The outcome of a unit that no further try is made of, without asking another model.

        Args:
            work: the unit.
            error: why the last try failed.
            tries: that were made.
            record: of the run.
        """
        step = self.steps[work.unit.step]
        context = self._context(record)
        if work.unit.index >= 0:
            items = evaluate(step.for_each, context)
            context = {**context, "item": items[work.unit.index], "index": work.unit.index}
        return self._failed(step, context, error, tries)

    def end(self, record: Record) -> End | None:
        """How the run ends by itself; None while there is something left to do."""
        for name, step in self.steps.items():
            outcome = record.get(Unit(name))
            if outcome is not None and outcome.status is Status.FAILED and step.on_failure == "fail":
                return End(error=f"step {name}: {outcome.error}")
        if any(Unit(name) not in record for name in self.steps):
            return None
        try:
            return End(evaluate(self._spec.output, self._context(record)))
        except InvalidInput as error:
            return End(error=f"output: {error}")

    def _context(self, record: Record) -> dict[str, Json]:
        settled = {unit.step: outcome for unit, outcome in record.items() if unit.index < 0}
        return {
            "inputs": dict(self._inputs),
            "steps": {
                name: {"status": one.status.value, "output": one.output, "error": one.error or None}
                for name, one in settled.items()
            },
        }

    def _items(self, step: Step, record: Record) -> list[Outcome]:
        found = sorted(
            (unit.index, one) for unit, one in record.items() if unit.step == step.name and unit.index >= 0
        )
        return [one for _, one in found]

    @staticmethod
    def _failed(step: Step, context: Mapping[str, Json], error: str, tries: int = 0) -> Outcome:
        if step.fallback is not None and "value" in step.fallback.model_fields_set:
            try:
                return Outcome(Status.FELL_BACK, evaluate(step.fallback.value, context), error, tries)
            except InvalidInput as mistake:
                error = f"{error}; its fallback: {mistake}"
        return Outcome(Status.FAILED, None, error, tries)


def _work(step: Step, index: int, context: Mapping[str, Json]) -> Work:
    return Work(Unit(step.name, index), evaluate(step.inputs, context), evaluate(step.parameters, context))
