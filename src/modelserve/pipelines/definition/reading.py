"""Reads a definition, and tells all that is wrong with it, each mistake by its line and column."""

from __future__ import annotations

import typing
from pathlib import Path as File

from pydantic import BaseModel, ValidationError

from modelserve.pipelines.definition.checks import check_steps
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.definition.places import DefinitionError, Document, Mistake, Path, read_document

FILE_NAME = "pipeline.yaml"
"""Of a definition, where a folder is named."""


def find_definition(path: File) -> File:
    """The file that is meant: the path itself, or the definition in a folder."""
    return path / FILE_NAME if path.is_dir() else path


def read_pipeline(path: File) -> Pipeline:
    """The definition in a file.

    Raises:
        DefinitionError: it cannot be read, or has mistakes.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise DefinitionError(str(path), [Mistake(1, 1, f"it cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise DefinitionError(str(path), [Mistake(1, 1, "it is no text in UTF-8")]) from error
    return parse_pipeline(text, str(path))


def parse_pipeline(text: str, where: str) -> Pipeline:
    """The definition that a text is.

    Args:
        text: in YAML or JSON.
        where: it is from, for the error.

    Raises:
        DefinitionError: it has mistakes.
    """
    document = read_document(text, where)
    try:
        pipeline = Pipeline.model_validate(document.value)
    except ValidationError as error:
        mistakes = [_mistake(document, one["type"], one["loc"], one["msg"]) for one in error.errors()]
        raise DefinitionError(where, mistakes) from error
    mistakes = check_steps(pipeline, document)
    if mistakes:
        raise DefinitionError(where, mistakes)
    return pipeline


def _mistake(document: Document, kind: str, place: Path, said: str) -> Mistake:
    name = str(place[-1]) if place else "the definition"
    if place and isinstance(place[-1], int):
        name = f"{place[-2]}[{name}]"
    if kind == "extra_forbidden":
        known = ", ".join(_fields(place[:-1]))
        return document.mistake(place, f"{name} is unknown here; accepted are {known}", at_key=True)
    if kind == "missing":
        return document.mistake(place, f"{name} is missing")
    if name == "[key]":  # pydantic's word for a key that is none
        return document.mistake(place[:-1], f"the name {place[-2]!r} is none: {said}", at_key=True)
    if kind in ("model_type", "dict_type"):
        return document.mistake(place, f"{name}: fields and their values are accepted")
    if kind == "string_type":
        said += "; YAML reads some words as true, false or null, and quoted they are texts"
    return document.mistake(place, f"{name}: {said.removeprefix('Value error, ')}")


def _fields(place: Path) -> list[str]:
    """What the model at a place has, as it is written."""
    model: typing.Any = Pipeline
    parts = iter(place)
    for part in parts:
        annotation = next(one.annotation for one in model.model_fields.values() if part in (one.alias, None))
        model = _model_in(annotation)
        if typing.get_origin(_plain(annotation)) in (dict, list):
            next(parts, None)  # the key or the index
    return [str(one.alias) for one in model.model_fields.values()]


def _plain(annotation: typing.Any) -> typing.Any:
    """An annotation without its ``Annotated`` and its null."""
    while True:
        arguments = [one for one in typing.get_args(annotation) if one is not type(None)]
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated or (origin not in (dict, list, None) and len(arguments) == 1):
            annotation = arguments[0]
        else:
            return annotation


def _model_in(annotation: typing.Any) -> type[BaseModel]:
    plain = _plain(annotation)
    while typing.get_origin(plain) in (dict, list):
        plain = _plain(typing.get_args(plain)[-1])
    assert isinstance(plain, type)
    assert issubclass(plain, BaseModel)
    return plain
