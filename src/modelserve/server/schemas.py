"""The bodies of REST as JSON schemas, for the OpenAPI document.

They describe; the codecs in ``modelserve.protocol`` check. The binary tensor extension has no JSON
schema and is told in words.
"""

from __future__ import annotations

from typing import Any

_PARAMETERS = {
    "type": "object",
    "additionalProperties": {"type": ["boolean", "integer", "number", "string"]},
}
_TENSOR = {
    "name": {"type": "string"},
    "datatype": {
        "type": "string",
        "enum": [
            "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
            "FP16", "FP32", "FP64", "BYTES",
        ],
    },
    "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
    "parameters": _PARAMETERS,
}  # fmt: skip


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


_NAME = {"type": "string"}
_SPEC = _object(
    ["name", "datatype", "shape"],
    name=_NAME,
    datatype=_TENSOR["datatype"],
    shape={"type": "array", "items": {"type": "integer"}},
)
_DATA = {"type": "array", "description": "Row-major, flat or nested; strings for BYTES."}

SCHEMAS: dict[str, dict[str, Any]] = {
    "Error": _object(["error"], error={"type": "string"}),
    "Live": _object(["live"], live={"type": "boolean"}),
    "Ready": _object(["ready"], ready={"type": "boolean"}, name=_NAME),
    "ServerMetadata": _object(
        ["name", "version", "extensions"],
        name=_NAME,
        version={"type": "string"},
        extensions={"type": "array", "items": {"type": "string"}},
    ),
    "ModelMetadata": _object(
        ["name", "versions", "platform", "inputs", "outputs"],
        name=_NAME,
        versions={"type": "array", "items": {"type": "string"}},
        platform={"type": "string"},
        inputs={"type": "array", "items": _SPEC},
        outputs={"type": "array", "items": _SPEC},
    ),
    "ModelList": _object(["models"], models={"type": "array", "items": _NAME}),
    "Statistics": _object(["model_stats"], model_stats={"type": "array", "items": {"type": "object"}}),
    "RepositoryIndexRequest": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    "RepositoryIndex": {
        "type": "array",
        "items": _object(
            ["name", "version", "state", "reason"],
            name=_NAME,
            version={"type": "string"},
            state={"type": "string", "enum": ["READY", "UNAVAILABLE"]},
            reason={"type": "string"},
        ),
    },
    "Loaded": _object(["name", "load"], name=_NAME, load={"type": "boolean"}),
    "Unloaded": _object(["name", "unload"], name=_NAME, unload={"type": "boolean"}),
    "InferenceRequest": _object(
        ["inputs"],
        id={"type": "string"},
        parameters=_PARAMETERS,
        inputs={
            "type": "array",
            "minItems": 1,
            "items": _object(["name", "datatype", "shape", "data"], **_TENSOR, data=_DATA),
        },
        outputs={
            "type": "array",
            "items": _object(["name"], name=_NAME, parameters=_PARAMETERS),
        },
    ),
    "InferenceResponse": _object(
        ["model_name", "outputs"],
        model_name=_NAME,
        model_version={"type": "string"},
        id={"type": "string"},
        parameters=_PARAMETERS,
        outputs={
            "type": "array",
            "items": _object(["name", "datatype", "shape"], **_TENSOR, data=_DATA),
        },
    ),
    "Instances": _object(["instances"], instances={"type": "array", "minItems": 1}),
    "Predictions": _object(["predictions"], predictions={"type": "array"}),
    "ExplainRequest": _object(
        ["instances"],
        instances={"type": "array", "minItems": 1},
        parameters={
            "type": "object",
            "description": "Others are ignored; `entity` is for texts, `label` for images.",
            "properties": {
                "max_calls": {
                    "type": "integer",
                    "description": "Most variations that the predictor is asked for, of all instances.",
                },
                "picture": {"type": "string", "enum": ["html", "png"]},
                "entity": {"type": "integer", "minimum": 0},
                "label": {"type": "string"},
            },
        },
    ),
    "Explanations": _object(
        ["explanations"],
        explanations={
            "type": "array",
            "items": _object(
                ["evaluations", "complete"],
                evaluations={
                    "type": "integer",
                    "description": "Variations that the predictor was asked for.",
                },
                complete={
                    "type": "boolean",
                    "description": "False where neighbours that were not told apart share a contribution.",
                },
                model_digest={"type": "string"},
                predictor_revision={"type": "string"},
                picture={"type": "string", "description": "HTML, or a PNG in base64."},
            ),
        },
    ),
}
