"""Schemathesis reads the OpenAPI document and calls what it describes, rightly and wrongly."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings

ALLOWED_SERVER_ERRORS = {503, 504}  # the table's; a 500 is always a fault


@schemathesis.pytest.from_fixture("server_schema").parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_documented_call(case: Any) -> None:
    answer = case.call(timeout=60)
    if answer.status_code in ALLOWED_SERVER_ERRORS:
        return
    case.validate_response(answer)
