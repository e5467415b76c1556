"""The JSON schema of definitions, for editors: ``python -m modelserve.pipelines.definition.schema``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from modelserve.pipelines.definition import models


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


RULES: Mapping[str, dict[str, Any]] = {
    "Model": {"anyOf": [_given("inferenceService"), _given("url"), _given("inProcess")]},
    "Fallback": {"oneOf": [_given("model"), {"required": ["value"]}]},
    "Step": {
        "oneOf": [_given("model"), _given("ensemble"), _given("function")],
        "not": {
            "required": ["function", "parameters"],
            "properties": {"function": {"not": {"type": "null"}}, "parameters": {"minProperties": 1}},
        },
    },
}
"""What validators of the models say of several fields together, which pydantic's schema lacks."""

FILE = Path(__file__).with_name("pipeline.schema.json")


def schema() -> dict[str, Any]:
    """The schema, fields with what their models' docstrings say of them."""
    made = models.Pipeline.model_json_schema(by_alias=True)
    for name, part in [("Pipeline", made), *made["$defs"].items()]:
        model: type[BaseModel] = getattr(models, name)
        said = _attributes(model.__doc__ or "")
        part["description"] = (model.__doc__ or "").partition("\n")[0]
        for field, about in model.model_fields.items():
            if field in said:
                part["properties"][about.alias]["description"] = said[field]
        for written in part["properties"].values():
            if "patternProperties" in written:  # pydantic leaves open what other names have
                written["additionalProperties"] = False
        part.update(RULES.get(name, {}))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _attributes(docstring: str) -> dict[str, str]:
    found = re.findall(r"^        (\w+): ((?:.|\n            )*)", docstring, re.MULTILINE)
    return {name: " ".join(said.split()) for name, said in found}


def text() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
