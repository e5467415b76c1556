"""What of a definition cannot be: names that are not there, cycles, kinds that do not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import entry_points

from modelserve.pipelines.definition.expressing import Expressions
from modelserve.pipelines.definition.models import Pipeline, Step
from modelserve.pipelines.definition.order import needs_of
from modelserve.pipelines.definition.places import Document, Mistake, Path
from modelserve.pipelines.definition.shapes import (
    ANY,
    INTEGER,
    STRING,
    Shape,
    annotated,
    declared,
    fits,
    is_of,
    list_of,
)
from modelserve.pipelines.functions import Function, UnknownFunction, find_function

PREDICTORS = "modelserve.predictors"
"""Entry points, of which a model in the process is one."""


def check_steps(pipeline: Pipeline, document: Document) -> list[Mistake]:
    """All mistakes that are left when every field is what it has to be."""
    mistakes = [*_models(pipeline, document), *_inputs(pipeline, document), *_names(pipeline, document)]
    # Expressions that are none, or that look at nothing, would be told again as something else.
    return mistakes or _ordered(pipeline, document)


def _models(pipeline: Pipeline, document: Document) -> Iterator[Mistake]:
    known = sorted(unit.name for unit in entry_points(group=PREDICTORS))
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


def _names(pipeline: Pipeline, document: Document) -> Iterator[Mistake]:
    """Names that are not there, in expressions too."""
    steps, models = [step.name for step in pipeline.spec.steps], pipeline.spec.models
    expressions = Expressions(steps=steps, inputs=list(pipeline.spec.inputs), document=document)
    for number, step in enumerate(pipeline.spec.steps):
        at: Path = ("spec", "steps", number)
        if step.name in steps[:number]:
            yield document.mistake((*at, "name"), f"step {step.name} is there twice")
        for place, name in _models_of(step):
            if name not in models:
                known = ", ".join(models) or "none"
                yield document.mistake((*at, *place), f"model {name} is unknown; spec.models has {known}")
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


def _ordered(pipeline: Pipeline, document: Document) -> list[Mistake]:
    """A cycle; or where there is none, what does not fit."""
    numbers = {step.name: number for number, step in enumerate(pipeline.spec.steps)}
    try:
        order = list(
            TopologicalSorter({step.name: needs_of(step) for step in pipeline.spec.steps}).static_order()
        )
    except CycleError as error:
        cycle = error.args[1]
        at = ("spec", "steps", numbers[cycle[0]], "name")
        return [document.mistake(at, f"these steps wait for each other: {' -> '.join(reversed(cycle))}")]
    return list(_kinds(pipeline, document, [pipeline.spec.steps[numbers[name]] for name in order]))


def _kinds(pipeline: Pipeline, document: Document, steps: list[Step]) -> Iterator[Mistake]:
    numbers = {step.name: number for number, step in enumerate(pipeline.spec.steps)}
    inputs = Shape("object", fields={name: declared(one.type) for name, one in pipeline.spec.inputs.items()})
    known: dict[str, Shape] = {}
    for step in steps:
        at: Path = ("spec", "steps", numbers[step.name])
        fields = {"inputs": inputs, "steps": Shape("object", fields=known)}
        expressions = Expressions(steps=list(known), inputs=list(pipeline.spec.inputs), document=document)
        if step.when is not None:
            _, mistakes = expressions.shape(step.when, Shape("object", fields=fields), (*at, "when"))
            yield from mistakes
        if step.for_each is not None:
            each, mistakes = expressions.shape(
                step.for_each, Shape("object", fields=fields), (*at, "forEach")
            )
            yield from mistakes
            if each.kind not in ("any", "list"):
                yield document.mistake((*at, "forEach"), f"forEach is {each}; a list is accepted")
            fields |= {"item": each.item or ANY, "index": INTEGER}
        wanted, required = _wanted(pipeline, step)
        for name in required - step.inputs.keys():
            yield document.mistake(at, f"step {step.name} lacks input {name}, {wanted[name]}")
        for name, value in step.inputs.items():
            place = (*at, "inputs", name)
            if wanted and name not in wanted:
                yield document.mistake(
                    place, f"input {name} is unknown; accepted are {', '.join(wanted)}", at_key=True
                )
                continue
            found, mistakes = expressions.shape(value, Shape("object", fields=fields), place)
            yield from mistakes
            if not _goes_in(found, wanted.get(name, ANY), is_tensor=step.function is None):
                yield document.mistake(place, f"input {name} is {found}; {wanted[name]} is accepted")
        gives = _gives(pipeline, step)
        about = {"status": STRING, "error": STRING, "output": list_of(gives) if step.for_each else gives}
        known[step.name] = Shape("object", fields=about)
    fields = {"inputs": inputs, "steps": Shape("object", fields=known)}
    expressions = Expressions(steps=list(known), inputs=list(pipeline.spec.inputs), document=document)
    yield from expressions.shape(pipeline.spec.output, Shape("object", fields=fields), ("spec", "output"))[1]


def _goes_in(found: Shape, wanted: Shape, *, is_tensor: bool) -> bool:
    # One value alone is a tensor of one.
    return fits(found, wanted) or (is_tensor and wanted.item is not None and fits(found, wanted.item))


def _wanted(pipeline: Pipeline, step: Step) -> tuple[Mapping[str, Shape], frozenset[str]]:
    """What a step takes by its names, and which of it has to be there; nothing where nothing is declared."""
    if step.function is not None:
        function = find_function(step.function)
        shapes = {name: annotated(annotation) for name, annotation in function.arguments.items()}
        return shapes, function.required
    tensors = [pipeline.spec.models[name].inputs for name in step.models]
    return {name: declared(kind) for one in tensors for name, kind in one.items()}, frozenset()


def _gives(pipeline: Pipeline, step: Step) -> Shape:
    if step.fallback is not None and step.fallback.model is None:
        return ANY  # its value may be of any kind
    if step.function is not None:
        function: Function = find_function(step.function)
        return annotated(function.result)
    outputs = {name: _answer(pipeline, name) for name in step.models}
    return outputs[step.model] if step.model is not None else Shape("object", fields=outputs)


def _answer(pipeline: Pipeline, name: str) -> Shape:
    outputs = pipeline.spec.models[name].outputs
    return Shape("object", fields={key: declared(kind) for key, kind in outputs.items()}) if outputs else ANY


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
