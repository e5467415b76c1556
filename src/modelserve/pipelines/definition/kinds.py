"""Whether what steps are given is of the kinds that their models and functions take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from modelserve.pipelines.definition.expressing import Expressions
from modelserve.pipelines.definition.models import Pipeline, Spec, Step
from modelserve.pipelines.definition.places import Document, Mistake, Path
from modelserve.pipelines.definition.shapes import (
    ANY,
    INTEGER,
    STRING,
    Shape,
    annotated,
    common,
    declared,
    fits,
    list_of,
)
from modelserve.pipelines.functions import find_function


@dataclass(frozen=True, slots=True)
class _Taker:
    """Who is given a step's inputs.

    Attributes:
        said: who it is, where a step has several.
        wanted: kinds by the inputs' names; nothing where nothing is declared.
        required: what has to be there.
        is_open: whether it may be given what is not declared.
        takes_tensors: where one value alone is a list of one.
    """

    said: str
    wanted: Mapping[str, Shape]
    required: frozenset[str] = frozenset()
    is_open: bool = False
    takes_tensors: bool = False


class Kinds:
    """Checks what steps look at and are given.

    Args:
        pipeline: whose names are all there.
        document: that it was read from.
        expressions: of the document.
    """

    def __init__(self, pipeline: Pipeline, document: Document, expressions: Expressions) -> None:
        self._spec, self._document, self._expressions = pipeline.spec, document, expressions

    def check(self, order: Sequence[str]) -> Iterator[Mistake]:
        """All mistakes.

        Args:
            order: of the steps, each after those that it needs.
        """
        spec = self._spec
        numbers = {step.name: number for number, step in enumerate(spec.steps)}
        inputs = Shape("object", fields={name: declared(one.type) for name, one in spec.inputs.items()})
        known: dict[str, Shape] = {}
        run = {"inputs": inputs, "steps": Shape("object", fields=known)}
        for name in order:
            step = spec.steps[numbers[name]]
            yield from self._check_step(step, ("spec", "steps", numbers[name]), run)
            gives = _gives(spec, step)
            about = {"status": STRING, "error": STRING, "output": list_of(gives) if step.for_each else gives}
            known[name] = Shape("object", fields=about)
        yield from self._expressions.shape(spec.output, Shape("object", fields=run), ("spec", "output"))[1]

    def _check_step(self, step: Step, at: Path, run: Mapping[str, Shape]) -> Iterator[Mistake]:
        shape, whole = self._expressions.shape, Shape("object", fields=run)
        if step.when is not None:
            yield from shape(step.when, whole, (*at, "when"))[1]
        if step.for_each is not None:
            each, mistakes = shape(step.for_each, whole, (*at, "forEach"))
            yield from mistakes
            if each.kind not in ("any", "list"):
                yield self._document.mistake((*at, "forEach"), f"forEach is {each}; a list is accepted")
            whole = Shape("object", fields={**run, "item": each.item or ANY, "index": INTEGER})
        yield from shape(step.parameters, whole, (*at, "parameters"))[1]
        if step.fallback is not None:
            yield from shape(step.fallback.value, whole, (*at, "fallback", "value"))[1]
        given: dict[str, Shape] = {}
        for name, value in step.inputs.items():
            given[name], mistakes = shape(value, whole, (*at, "inputs", name))
            yield from mistakes
        takers = _takers(self._spec, step)
        for taker in takers:
            yield from self._check_taker(taker, step, at, given, is_alone=len(takers) == 1)

    def _check_taker(
        self, taker: _Taker, step: Step, at: Path, given: Mapping[str, Shape], *, is_alone: bool
    ) -> Iterator[Mistake]:
        to, by = ("", "") if is_alone else (f" to {taker.said}", f" by {taker.said}")
        for name in sorted(taker.required - given.keys()):
            said = f"step {step.name} lacks input {name}, {taker.wanted[name]}"
            yield self._document.mistake(at, said)
        for name, found in given.items():
            place, wanted = (*at, "inputs", name), taker.wanted.get(name)
            if wanted is not None and not _goes_in(found, wanted, is_tensor=taker.takes_tensors):
                yield self._document.mistake(place, f"input {name} is {found}; {wanted} is accepted{by}")
            elif wanted is None and not taker.is_open:
                accepted = ", ".join(taker.wanted) or "none"
                said = f"input {name} is unknown{to}; accepted are {accepted}"
                yield self._document.mistake(place, said, at_key=True)


def _goes_in(found: Shape, wanted: Shape, *, is_tensor: bool) -> bool:
    # One value alone is a tensor of one.
    return fits(found, wanted) or (is_tensor and wanted.item is not None and fits(found, wanted.item))


def _takers(spec: Spec, step: Step) -> list[_Taker]:
    if step.function is not None:
        function = find_function(step.function)
        shapes = {name: annotated(annotation) for name, annotation in function.arguments.items()}
        takers = [_Taker(f"function {step.function}", shapes, function.required)]
    else:
        takers = [_model_taker(spec, name) for name in step.models]
    if step.fallback is not None and step.fallback.model is not None:
        takers.append(_model_taker(spec, step.fallback.model))
    return takers


def _model_taker(spec: Spec, name: str) -> _Taker:
    tensors = {tensor: declared(kind) for tensor, kind in spec.models[name].inputs.items()}
    return _Taker(f"model {name}", tensors, is_open=not tensors, takes_tensors=True)


def _gives(spec: Spec, step: Step) -> Shape:
    if step.function is not None:
        gives = annotated(find_function(step.function).result)
    elif step.model is not None:
        gives = _answer(spec, step.model)
    else:
        gives = Shape("object", fields={name: _answer(spec, name) for name in step.models})
    if step.fallback is None:
        return gives
    # A fallback's value may be of any kind.
    return ANY if step.fallback.model is None else _either(gives, _answer(spec, step.fallback.model))


def _answer(spec: Spec, name: str) -> Shape:
    outputs = spec.models[name].outputs
    return Shape("object", fields={key: declared(kind) for key, kind in outputs.items()}) if outputs else ANY


def _either(one: Shape, other: Shape) -> Shape:
    """What is the one or the other; a field that only one of them has may be null."""
    if one.fields is None or other.fields is None:
        return common([one, other])
    both = {
        name: common([shape, other.fields.get(name, shape)])
        for name, shape in {**other.fields, **one.fields}.items()
    }
    return Shape("object", fields=both)
