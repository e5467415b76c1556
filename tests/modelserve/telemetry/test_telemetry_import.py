"""Who runs without a collector imports nothing of OpenTelemetry."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import sys
import modelserve.logs
from modelserve.telemetry import configure_tracing
tracing = configure_tracing(service_name="a", revision="b")
tracing.start("a").end(outcome="ok")
print(tracing.enabled, *sorted(name for name in sys.modules if name.startswith("opentelemetry")))
"""


def run(**variables: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_nothing_is_imported_without_a_variable() -> None:
    assert run() == ["False"]


def test_the_sdk_is_imported_where_it_is_asked_for() -> None:
    enabled, *modules = run(OTEL_TRACES_EXPORTER="otlp", OTEL_TRACES_SAMPLER="always_off")
    assert enabled == "True"
    assert "opentelemetry.sdk.trace" in modules
