"""Schemathesis reads the OpenAPI document and calls what it describes, rightly and wrongly."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from modelserve.server.dataplane import DataPlane
from modelserve.server.rest import build_app

# The document is the same for every server; the calls go to a real one.
SCHEMA = schemathesis.openapi.from_dict(build_app(DataPlane([], revision="r"), max_body_bytes=1).openapi())
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
OPERATIONS = {operation.ok().label: operation.ok() for operation in SCHEMA.get_all_operations()}


def test_the_document_names_every_call_of_the_contract() -> None:
    model = "/v2/models/{model_name}"
    version = f"{model}/versions/{{model_version}}"
    assert set(OPERATIONS) == {
        *("GET /v1/models", "GET /v1/models/{model_name}"),
        *("POST /v1/models/{model_name}:predict", "POST /v1/models/{model_name}:explain"),
        *("GET /v2", "GET /v2/health/live", "GET /v2/health/ready", "GET /v2/models"),
        *(f"GET {path}{end}" for path in (model, version) for end in ("", "/ready", "/stats")),
        *(f"POST {path}/infer" for path in (model, version)),
        "POST /v2/repository/index",
        *(f"POST /v2/repository/models/{{model_name}}/{verb}" for verb in ("load", "unload")),
    }


def test_docs_are_a_page(server: Any) -> None:
    answer = server.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "/openapi.json" in answer.text


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_call_is_a_fault_of_the_server(server: Any, label: str) -> None:
    """The answer is as documented, and no 5xx but those in the table of errors."""
    operation = OPERATIONS[label]
    # An unloaded model would be missed by the other tests.
    names = ["nobody"] if label.endswith("/unload") else ["bert-ner", "resnet-classifier", "nobody"]

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(), name=st.sampled_from(names), version=st.sampled_from("12"))
    def call(case: Any, name: str, version: str) -> None:
        if "model_name" in case.path_parameters:
            case.path_parameters["model_name"] = name
        if "model_version" in case.path_parameters:
            case.path_parameters["model_version"] = version
        answer = case.call(base_url=server.url, timeout=60)
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code < 500 or answer.status_code in (503, 504)

    call()
