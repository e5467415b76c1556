"""A collector that is down, hangs or refuses costs the calls nothing and the log little.

The processes under test are real ones: whether one ends while its collector still hangs is seen by
its end, and its log by its standard error.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

CALLS = 3000

PROGRAM = f"""
import sys
from modelserve.logs import configure_logging
from modelserve.telemetry import configure_tracing

configure_logging(log_format="json", log_level="info", revision="local")
tracing = configure_tracing(service_name="tagger", revision="local")
for number in range({CALLS}):
    call = tracing.start("POST /")
    call.phase("engine", number, number + 1)
    call.end(outcome="ok")
print("answered", flush=True)
print(tracing.shutdown(timeout_seconds=float(sys.argv[1])), flush=True)
"""


def run(timeout_seconds: float, **variables: str) -> tuple[list[str], list[str]]:
    """Lines on standard output and on standard error of a process that answers calls and ends."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(timeout_seconds)],
        env={
            **kept,
            **variables,
            "OTEL_BSP_MAX_QUEUE_SIZE": "100",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10",
            "OTEL_BSP_SCHEDULE_DELAY": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.splitlines(), done.stderr.splitlines()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else is given."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_that_is_down(closed_port: int, protocol: str) -> None:
    out, log = run(
        0.2,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{closed_port}",
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    assert out == ["answered", "False"]
    assert any("encountered while exporting" in line or "Failed to export" in line for line in log)
    assert len(log) < 8  # thousands of spans were dropped


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_that_hangs(request: pytest.FixtureRequest, protocol: str) -> None:
    collector: Any = request.getfixturevalue(f"{protocol[:4]}_collector")
    collector.go_on.clear()
    out, log = run(0.5, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    assert collector.called.is_set()
    assert out == ["answered", "False"]
    assert collector.spans == []  # it hung until after the process had ended
    assert len([line for line in log if "Queue full" in line]) == 1


def test_a_collector_that_refuses(http_collector: Any) -> None:
    http_collector.statuses = [400] * 10_000
    out, log = run(60, OTEL_EXPORTER_OTLP_ENDPOINT=http_collector.endpoint)
    assert out == ["answered", "True"]
    assert len(http_collector.encodings) > 10
    assert len([line for line in log if "Failed to export" in line]) == 1


def test_what_was_refused_for_now_is_sent_again(configure: Any, http_collector: Any) -> None:
    http_collector.statuses = [503, 503]
    tracing = configure(OTEL_EXPORTER_OTLP_ENDPOINT=http_collector.endpoint)
    tracing.start("a").end(outcome="ok")
    assert tracing.shutdown(timeout_seconds=60)
    assert len(http_collector.encodings) == 3
    assert [span.name for span in http_collector.spans] == ["a"]
