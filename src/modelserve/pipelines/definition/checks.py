"""What of a definition cannot be: names that are not there, and cycles; where there are none, kinds too."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from modelserve.installed import predictors
from modelserve.pipelines.definition.expressing import Expressions
from modelserve.pipelines.definition.kinds import Kinds
from modelserve.pipelines.definition.models import Pipeline, Step
from modelserve.pipelines.definition.order import needs_of
from modelserve.pipelines.definition.places import Document, Mistake, Path
from modelserve.pipelines.definition.shapes import declared, is_of
from modelserve.pipelines.functions import UnknownFunction, find_function


def check_steps(pipeline: Pipeline, document: Document) -> list[Mistake]:
    """All mistakes that are left when every field is what it has to be."""
    steps = [step.name for step in pipeline.spec.steps]
    expressions = Expressions(steps=steps, inputs=list(pipeline.spec.inputs), document=document)
    names = list(_names(pipeline, document, expressions))
    # Expressions that are none, or that look at nothing, would be told again as something else.
    further = names or _ordered(pipeline, document, expressions)
    return [*_models(pipeline, document), *_inputs(pipeline, document), *further]


def _models(pipeline: Pipeline, document: Document) -> Iterator[Mistake]:
    known = predictors()
    for name, model in pipeline.spec.models.items():
        local = model.in_process
        if local is not None and local.predictor not in known:
            place = ("spec", "models", name, "inProcess", "predictor")
            yield document.mistake(
                place, f"predictor {local.predictor} is unknown; one of {', '.join(known)} is accepted"
            )


def _inputs(pipeline: Pipeline, document: Document) -> Iterator[Mistake]:
    for name, one in pipeline.spec.inputs.items():
        is_right = one.is_required or one.default is None or is_of(one.default, declared(one.type))
        if not is_right:
            yield document.mistake(
                ("spec", "inputs", name, "default"), f"the default of {name} is no {one.type}"
            )


def _names(pipeline: Pipeline, document: Document, expressions: Expressions) -> Iterator[Mistake]:
    """Names that are not there, in expressions too."""
    steps, models = [step.name for step in pipeline.spec.steps], pipeline.spec.models
    for number, step in enumerate(pipeline.spec.steps):
        at: Path = ("spec", "steps", number)
        if step.name in steps[:number]:
            yield document.mistake((*at, "name"), f"step {step.name} is there twice")
        for place, name in _models_of(step):
            if name not in models:
                known = ", ".join(models) or "none"
                yield document.mistake((*at, *place), f"model {name} is unknown; spec.models has {known}")
            elif name in (step.ensemble or ())[: place[-1] if isinstance(place[-1], int) else 0]:
                yield document.mistake((*at, *place), f"model {name} is there twice")
        for index, name in enumerate(step.needs):
            if name not in steps:
                yield document.mistake(
                    (*at, "needs", index), f"step {name} is unknown; there are {', '.join(steps)}"
                )
        if step.function is not None:
            try:
                find_function(step.function)
            except UnknownFunction as error:
                yield document.mistake((*at, "function"), str(error))
        is_each = step.for_each is not None
        for place, value in _values_of(step):
            of_item = is_each and place[0] not in ("when", "forEach")
            yield from expressions.check(value, (*at, *place), of_item=of_item)
    yield from expressions.check(pipeline.spec.output, ("spec", "output"), of_item=False)


def _ordered(pipeline: Pipeline, document: Document, expressions: Expressions) -> Iterator[Mistake]:
    """A cycle; or where there is none, what does not fit."""
    names = [step.name for step in pipeline.spec.steps]
    try:
        order = list(
            TopologicalSorter({step.name: needs_of(step) for step in pipeline.spec.steps}).static_order()
        )
    except CycleError as error:
        cycle = error.args[1]
        at = ("spec", "steps", names.index(cycle[0]), "name")
        yield document.mistake(at, f"these steps wait for each other: {' -> '.join(reversed(cycle))}")
        return
    yield from Kinds(pipeline, document, expressions).check(order)


def _models_of(step: Step) -> Iterator[tuple[Path, str]]:
    if step.model is not None:
        yield ("model",), step.model
    for index, name in enumerate(step.ensemble or ()):
        yield ("ensemble", index), name
    if step.fallback is not None and step.fallback.model is not None:
        yield ("fallback", "model"), step.fallback.model


def _values_of(step: Step) -> Iterator[tuple[Path, object]]:
    for name, value in step.inputs.items():
        yield ("inputs", name), value
    for name, value in step.parameters.items():
        yield ("parameters", name), value
    if step.when is not None:
        yield ("when",), step.when
    if step.for_each is not None:
        yield ("forEach",), step.for_each
    if step.fallback is not None and step.fallback.value is not None:
        yield ("fallback", "value"), step.fallback.value
