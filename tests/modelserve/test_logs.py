"""Log lines of a real process, read as a log store reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from typing import Any

PROGRAM = """
import logging, sys
from modelserve.logs import configure_logging
from modelserve.telemetry import configure_tracing

configure_logging(log_format=sys.argv[1], log_level="info", revision="tagger-00007")
logger = logging.getLogger("tagger")
tracing = configure_tracing(service_name="tagger", revision="tagger-00007")
call = tracing.start("POST /")
logger.info("before")
with call.active():
    logger.info("during\\nand %s", "after a break", extra={"model": "tagger"})
    try:
        raise ValueError("of two\\nlines")
    except ValueError:
        logger.exception("failed")
logger.debug("not written")
print(call.trace_id, call.span_id)
"""


def run(log_format: str, **variables: str) -> tuple[list[str], list[str]]:
    """Words on standard output, and lines on standard error."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, log_format],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split(), done.stderr.splitlines()


def run_json(**variables: str) -> tuple[list[str], list[dict[str, Any]]]:
    words, lines = run("json", **variables)
    return words, [json.loads(line) for line in lines]


def test_a_json_line_names_the_call_and_the_revision() -> None:
    ids, lines = run_json(OTEL_TRACES_EXPORTER="otlp", OTEL_TRACES_SAMPLER="always_off")
    before, during, failed = lines
    assert "trace_id" not in before
    assert [during["trace_id"], during["span_id"]] == ids
    assert [failed["trace_id"], failed["span_id"]] == ids
    assert {line["revision"] for line in lines} == {"tagger-00007"}
    assert during["message"] == "during\nand after a break"
    assert (during["level"], during["logger"], during["model"]) == ("INFO", "tagger", "tagger")
    assert datetime.fromisoformat(during["time"]).utcoffset() is not None


def test_an_exception_stays_in_its_json_line() -> None:
    _, lines = run_json()
    assert len(lines) == 3
    assert lines[2]["message"] == "failed"
    assert lines[2]["exc_info"].startswith("Traceback")
    assert lines[2]["exc_info"].endswith("ValueError: of two\nlines")


def test_without_tracing_a_line_has_no_ids() -> None:
    ids, lines = run_json()
    assert ids == []
    assert not any({"trace_id", "span_id"} & set(line) for line in lines)


def test_text_is_for_people() -> None:
    _, lines = run("text", OTEL_TRACES_EXPORTER="otlp", OTEL_TRACES_SAMPLER="always_off")
    assert lines[0].endswith(" INFO tagger: before")
    assert lines[-1] == "lines"
