"""Log lines for people or, as JSON, for programs."""

from __future__ import annotations

import logging

from pythonjsonlogger.json import JsonFormatter


def configure_logging(*, log_format: str, log_level: str, revision: str) -> None:
    """Send every log line to standard error.

    Args:
        log_format: ``text`` or ``json``; a JSON line carries the time, level, logger, message,
            revision and whatever the call added.
        log_level: the least severe level that is written.
        revision: the running revision, in every JSON line.
    """
    handler = logging.StreamHandler()
    if log_format == "json":
        handler.setFormatter(
            JsonFormatter(
                "{asctime}{levelname}{name}{message}",
                style="{",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
                static_fields={"revision": revision},
            )
        )
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=log_level.upper(), handlers=[handler], force=True)
    # One line per request is what metrics are for.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("httpx").setLevel(logging.WARNING)
