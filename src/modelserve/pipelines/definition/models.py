"""What a pipeline's definition has, as ``pipeline.schema.json`` beside this tells it to editors.

Expressions are JMESPath over what a run has so far (``expressions.py``). Where a value is wanted, every
string is an expression, those within lists and objects too; numbers, booleans and null are themselves. A text
that is meant as it stands is JMESPath's ``'text'``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from modelserve.written import Written

Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""As Kubernetes names objects: InferenceGraphs and Argo's tasks are named by steps."""

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
"""What an expression may name without quotes."""

TypeName = Annotated[
    str, Field(pattern=r"^(any|string|integer|number|boolean|bytes|object)(\[\])*$", examples=["string[]"])
]
"""A kind of JSON value, with ``[]`` for each list around it; ``bytes`` are base64 in a string."""

Expression = Annotated[str, Field(min_length=1)]

Value = Any
"""JSON whose strings are expressions."""


class Metadata(Written):
    """By what a pipeline is known."""

    name: Name
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Input(Written):
    """A value that whoever begins a run gives; one with a default may be left out."""

    type: TypeName = "any"
    description: str = ""
    default: Any = None

    @property
    def is_required(self) -> bool:
        """Whether a run cannot begin without it."""
        return "default" not in self.model_fields_set


class InferenceService(Written):
    """A service on the cluster that runs the pipeline.

    Attributes:
        name: of the InferenceService.
        namespace: of it; that of whoever asks where it is not said.
        component: that is asked, over REST; a transformer asks the predictor behind it.
    """

    name: Name
    namespace: Name | None = None
    component: Literal["predictor", "transformer"] = "predictor"


class InProcess(Written):
    """A predictor of this package, loaded by whoever runs the pipeline.

    Attributes:
        predictor: its name among the entry points ``modelserve.predictors``.
        model_dir: the folder that it loads, from the definition's own.
    """

    predictor: str
    model_dir: str


class Model(Written):
    """Where a model is, in at least one way, and what it takes and gives.

    Attributes:
        inference_service: on a cluster.
        url: of a server that has it, without ``/v2``.
        in_process: on one machine.
        model_name: at the server; the model's name in the pipeline where it is not said.
        inputs: types of its V2 inputs by their names; none is no statement.
        outputs: types of its V2 outputs.
    """

    inference_service: InferenceService | None = None
    url: Annotated[str, Field(pattern=r"^https?://[^/\s]+(/[^\s]*)?$")] | None = None
    in_process: InProcess | None = None
    model_name: str | None = None
    inputs: dict[str, TypeName] = {}
    outputs: dict[str, TypeName] = {}

    @model_validator(mode="after")
    def _is_somewhere(self) -> Model:
        if self.inference_service is None and self.url is None and self.in_process is None:
            raise ValueError("one of inferenceService, url and inProcess is needed")
        return self


class Retry(Written):
    """Further tries of what failed for a while: a full queue, no pod, no answer in time, no connection.

    Attributes:
        limit: further tries, after the first.
        initial_seconds: the pause before the first of them.
        factor: by which each pause is longer than the one before.
        max_seconds: the longest pause.
    """

    limit: Annotated[int, Field(ge=0, le=100)] = 3
    initial_seconds: Annotated[float, Field(gt=0, le=3600)] = 0.5
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    max_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0


class Fallback(Written):
    """What stands for a step's output when all tries failed: another model's answer, or a value.

    Attributes:
        model: asked once, with the same inputs.
        value: of which all strings are expressions.
    """

    model: Identifier | None = None
    value: Value = None

    @model_validator(mode="after")
    def _is_one(self) -> Fallback:
        if (self.model is None) == ("value" not in self.model_fields_set):
            raise ValueError("one of model and value is needed")
        return self


class Step(Written):
    """One thing to do, once all that it looks at is done.

    Attributes:
        name: by which others look at it.
        model: that is asked.
        ensemble: models that are all asked the same; the output is theirs, by their names.
        function: a pure function that is called.
        inputs: tensors of the model, or arguments of the function.
        parameters: of a V2 call.
        needs: steps that come before it, beside those that its expressions look at.
        when: an expression; where it is false by JMESPath the step is skipped and its output is null.
        for_each: an expression of a list; the step is done for each of its items, which are ``item``, and
            whose numbers from 0 are ``index``. The output is the list of the outputs.
        parallel: how many of them are done at a time.
        retry: further tries; by default there is none.
        timeout_seconds: for each try.
        fallback: for what failed.
        on_failure: whether the run fails with the step, or goes on with null as its output.
    """

    name: Identifier
    model: Identifier | None = None
    ensemble: Annotated[list[Identifier], Field(min_length=2)] | None = None
    function: str | None = None
    inputs: dict[str, Value] = {}
    parameters: dict[str, Value] = {}
    needs: list[Identifier] = []
    when: Expression | None = None
    for_each: Expression | None = None
    parallel: Annotated[int, Field(ge=1, le=256)] = 8
    retry: Retry = Retry(limit=0)
    timeout_seconds: Annotated[float, Field(gt=0, le=86400)] = 60.0
    fallback: Fallback | None = None
    on_failure: Literal["fail", "continue"] = "fail"

    @model_validator(mode="after")
    def _does_one_thing(self) -> Step:
        if sum(one is not None for one in (self.model, self.ensemble, self.function)) != 1:
            raise ValueError("one of model, ensemble and function is needed")
        if self.function is not None and self.parameters:
            raise ValueError("a function has inputs and no parameters")
        return self

    @property
    def models(self) -> tuple[str, ...]:
        """The models that it asks, its fallback's aside."""
        return tuple(self.ensemble or ()) if self.model is None else (self.model,)


class Spec(Written):
    """What is done.

    Attributes:
        inputs: that a run is given.
        models: that steps ask, by names of their own.
        steps: in any order.
        output: the run's result.
        timeout_seconds: for a whole run, its waiting aside.
    """

    inputs: dict[Identifier, Input] = {}
    models: dict[Identifier, Model] = {}
    steps: Annotated[list[Step], Field(min_length=1)]
    output: Value
    timeout_seconds: Annotated[float, Field(gt=0, le=604800)] = 3600.0


class Pipeline(Written):
    """Several models as one: steps over a run's inputs, and an output of what they gave."""

    api_version: Literal["modelserve.dev/v1alpha1"] = "modelserve.dev/v1alpha1"
    kind: Literal["Pipeline"] = "Pipeline"
    metadata: Metadata
    spec: Spec
