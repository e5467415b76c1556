"""A run that an InferenceGraph carries from call to call: the server keeps nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from modelserve.errors import InvalidInput, ModelServeError, NotFound, PredictorFailed, RequestError
from modelserve.pipelines.compiling.graph_calls import LARGEST_INTEGER
from modelserve.pipelines.course import Course, End, Outcome, Status, Unit
from modelserve.pipelines.definition.expressions import Json
from modelserve.pipelines.definition.inputs import check_inputs
from modelserve.pipelines.definition.models import Model, Pipeline, Step
from modelserve.pipelines.running.asking import Asker
from modelserve.pipelines.running.calling import Caller
from modelserve.pipelines.running.v2 import from_v2, to_v2
from modelserve.pipelines.serving.forms import read_form
from modelserve.written import Written


class StepFailed(RequestError):
    """A step failed, and the run with it: answered as a run that failed is."""

    http_status = 502
    grpc_status = "INTERNAL"


class _Settled(Written):
    """A step of a run that is carried."""

    status: Status
    output: Any = None
    error: str = ""


class _Carried(Written):
    """A run that is carried."""

    inputs: dict[str, Any]
    steps: dict[str, _Settled]


class _NoModels:
    """Models are the router's to call."""

    def asker(self, name: str, model: Model) -> Asker:
        """See ``modelserve.pipelines.running.calling.Reach``."""
        raise InvalidInput(f"model {name} cannot be asked by the server of a graph's steps")


class GraphRun:
    """One run, between two calls of a graph.

    Args:
        pipeline: by its present definition.
        inputs: of the run, with defaults filled in.
        record: of the steps that are settled.
    """

    def __init__(
        self, pipeline: Pipeline, inputs: Mapping[str, Json], record: Mapping[Unit, Outcome]
    ) -> None:
        self._course, self._inputs, self._record = Course(pipeline, inputs), inputs, dict(record)
        self._functions = Caller({}, _NoModels(), "graph")

    @classmethod
    def begun(cls, pipeline: Pipeline, inputs: Mapping[str, Json]) -> GraphRun:
        """A run of which nothing is done yet.

        Raises:
            InvalidInput: the pipeline does not take these inputs.
        """
        return cls(pipeline, check_inputs(pipeline, inputs), {})

    @classmethod
    def read(cls, pipeline: Pipeline, text: str) -> GraphRun:
        """A run that was carried here.

        Raises:
            InvalidInput: the text is none that ``text`` gave.
        """
        carried = read_form(_Carried, text, "the context as the server gave it")
        record = {
            Unit(name): Outcome(one.status, one.output, one.error) for name, one in carried.steps.items()
        }
        return cls(pipeline, carried.inputs, record)

    def text(self) -> str:
        """The run, to be carried on."""
        steps = {
            unit.step: {"status": one.status.value, "output": one.output, "error": one.error}
            for unit, one in self._record.items()
        }
        return orjson.dumps({"inputs": dict(self._inputs), "steps": steps}).decode()

    def request(self, name: str) -> dict[str, Json]:
        """The body of the step's V2 call; empty where no model is to be asked.

        Raises:
            NotFound: there is no such step.
            InvalidInput: it is not its turn.
            StepFailed: its expressions cannot be computed of this run.
        """
        step = self._expect_next(name)
        begun = self._course.begin(step, self._record)
        if isinstance(begun, Outcome):
            self._settle(step, begun)
            return {}
        try:
            return to_v2(begun[0].inputs, begun[0].parameters)
        except InvalidInput as error:
            raise StepFailed(f"step {name}: {error}") from error

    def take(self, answers: Mapping[str, Json]) -> None:
        """Take the models' answers of one layer.

        Args:
            answers: by the names of steps; what is said of a skipped one is of no account.

        Raises:
            NotFound: there is no such step.
            InvalidInput: it is not its turn.
            StepFailed: an answer is none.
        """
        outcomes = [
            (step, self._outcome(step, answers[step.name])) for step in map(self._expect_next, answers)
        ]
        for step, outcome in outcomes:
            self._settle(step, outcome)

    async def call_functions(self) -> None:
        """Call the functions that can be called, and those after them.

        Raises:
            StepFailed: one failed that the run cannot do without.
        """
        while steps := [step for step in self._course.ready(self._record) if step.function is not None]:
            for step in steps:
                self._settle(step, await self._called(step))

    def output(self) -> Json:
        """The run's output.

        Raises:
            InvalidInput: there are steps that the graph did not do.
            StepFailed: the output cannot be computed of this run.
        """
        end = self._course.end(self._record)
        if end is None:
            left = ", ".join(name for name in self._course.steps if Unit(name) not in self._record)
            raise InvalidInput(f"steps {left} are not done; {_COMPILE_AGAIN}")
        return _output(end)

    def _expect_next(self, name: str) -> Step:
        if name not in self._course.steps:
            raise NotFound(f"there is no step {name[:80]!r}; {_COMPILE_AGAIN}")
        step = self._course.steps[name]
        if step.function is not None or step not in self._course.ready(self._record):
            raise InvalidInput(f"step {name} is not to be done by a model now; {_COMPILE_AGAIN}")
        return step

    def _outcome(self, step: Step, answer: Json) -> Outcome:
        # By the same run the same: whether it was skipped need not be carried.
        begun = self._course.begin(step, self._record)
        if isinstance(begun, Outcome):
            return begun
        try:
            return Outcome(Status.SUCCEEDED, _answered(step, answer), tries=1)
        except ModelServeError as error:
            return self._course.failed(begun[0], str(error), 1, self._record)

    async def _called(self, step: Step) -> Outcome:
        begun = self._course.begin(step, self._record)
        if isinstance(begun, Outcome):
            return begun
        done = {}
        for work in begun:
            failed = partial(self._course.failed, work, record=self._record)
            done[work.unit] = await self._functions.do(step, work, failed=failed)
        return done[Unit(step.name)] if step.for_each is None else self._course.join(step, done)

    def _settle(self, step: Step, outcome: Outcome) -> None:
        self._record[Unit(step.name)] = outcome
        end = self._course.end(self._record)
        if end is not None:
            _output(end)


_COMPILE_AGAIN = "the graph is of another definition than the server's: compile it again"


def _output(end: End) -> Json:
    if end.has_failed:
        raise StepFailed(end.error)
    return end.output


def _answered(step: Step, answer: Json) -> Json:
    """A step's output.

    Raises:
        PredictorFailed: the answer is none in V2's JSON.
    """
    if step.model is not None:
        return from_v2(_as_sent(answer))
    if not isinstance(answer, Mapping):
        raise PredictorFailed("the answer is no object of models' answers")
    return {name: from_v2(_as_sent(answer.get(name))) for name in step.models}


def _as_sent(answer: Json) -> Json:
    """A model's answer as it was before the router read and wrote it: 2.0 is 2 after that.

    Raises:
        PredictorFailed: an integer is larger than the router keeps.
    """
    outputs = answer.get("outputs") if isinstance(answer, Mapping) else None
    if not isinstance(outputs, list):
        return answer
    return {**answer, "outputs": [_tensor_as_sent(one) for one in outputs]}


def _tensor_as_sent(tensor: Json) -> Json:
    data = tensor.get("data") if isinstance(tensor, Mapping) else None
    if not isinstance(data, list):
        return tensor
    datatype = str(tensor.get("datatype"))
    if datatype in ("FP16", "BF16", "FP32", "FP64"):
        return {**tensor, "data": [float(one) if isinstance(one, int) else one for one in data]}
    if datatype in ("INT64", "UINT64") and any(
        isinstance(one, int | float) and abs(one) >= LARGEST_INTEGER for one in data
    ):
        raise PredictorFailed(
            f"output {tensor.get('name')} of the model's answer has integers of 2^53 or more, which an "
            "InferenceGraph changes"
        )
    return tensor
