"""Log lines for people or, as JSON, for programs."""

from __future__ import annotations

import logging

from pythonjsonlogger.json import JsonFormatter

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
            JsonFormatter(
                "{levelname}{name}{message}",
                style="{",
                timestamp="time",
                rename_fields={"levelname": "level", "name": "logger"},
                static_fields={"revision": revision},
            )
        )
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=log_level.upper(), handlers=[handler], force=True)
    # One line per request is what metrics are for.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("httpx").setLevel(logging.WARNING)
