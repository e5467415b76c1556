"""A run's inputs, held against what the pipeline declares."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping

from modelserve.errors import InvalidInput
from modelserve.pipelines.definition.expressions import Json
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.definition.shapes import declared, is_of


def check_inputs(pipeline: Pipeline, inputs: Mapping[str, Json]) -> dict[str, Json]:
    """The inputs with defaults filled in.

    Raises:
        InvalidInput: one is missing, unknown, or of another type.
    """
    known = pipeline.spec.inputs
    for name in inputs:
        if name not in known:
            accepted = ", ".join(known) or "none, as the pipeline has no inputs"
            raise InvalidInput(f"input {name[:80]!r} is unknown; accepted are {accepted}")
    whole: dict[str, Json] = {}
    for name, one in known.items():
        if name not in inputs:
            if one.is_required:
                raise InvalidInput(f"input {name} is missing; {_said(one.type)} is accepted")
            whole[name] = one.default
        elif is_of(inputs[name], declared(one.type)):
            whole[name] = inputs[name]
        else:
            raise InvalidInput(f"input {name} is {reprlib.repr(inputs[name])}; {_said(one.type)} is accepted")
    return whole


def _said(type_name: str) -> str:
    return f"base64 of {type_name}" if type_name.startswith("bytes") else type_name
