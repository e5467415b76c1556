"""Log lines for people or, as JSON, for programs."""

from __future__ import annotations

import logging
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from modelserve.secrecy import without_secrets
from modelserve.telemetry import current_call


class _CallFilter(logging.Filter):
    """Gives a record the ids of the call that was being answered when it was made.

    OpenTelemetry's name for them, so that a log store can lead from a line to its trace.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        call = current_call()
        if call.trace_id:
            record.trace_id = call.trace_id
            record.span_id = call.span_id
        return True


class _HeaderFilter(logging.Filter):
    """Takes a header's value, which is a credential, out of what OpenTelemetry says of one it cannot read."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = (
            "a variable of headers for the collector has an entry that is no name=value; it is left out"
        )
        record.args = ()
        return True


class _TextFormatter(logging.Formatter):
    """Lines, with tracebacks, whose URLs hold no secret: libraries log addresses as they got them."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


class _JsonFormatter(JsonFormatter):
    """The same as JSON, whose fields are told each by itself."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {name: without_secrets(v) if isinstance(v, str) else v for name, v in log_data.items()}


def configure_logging(*, log_format: str, log_level: str, revision: str) -> None:
    """Send every log line to standard error.

    Args:
        log_format: ``text`` or ``json``; a JSON line carries the time, level, logger, message,
            revision, ``trace_id`` and ``span_id`` inside a traced call, ``exc_info`` with a
            traceback, and whatever the call added. It is one line whatever is in it.
        log_level: the least severe level that is written.
        revision: the running revision, in every JSON line.
    """
    handler = logging.StreamHandler()
    if log_format == "json":
        handler.addFilter(_CallFilter())
        handler.setFormatter(
            _JsonFormatter(
                "{levelname}{name}{message}",
                style="{",
                timestamp="time",
                rename_fields={"levelname": "level", "name": "logger"},
                static_fields={"revision": revision},
            )
        )
    else:
        handler.setFormatter(_TextFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=log_level.upper(), handlers=[handler], force=True)
    # One line per request is what metrics are for.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("opentelemetry.util.re").addFilter(_HeaderFilter())
