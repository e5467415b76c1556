"""A log handler that keeps a broken collector from filling the log.

The SDK logs every batch that fails and every retry. One line says as much as a thousand: the
counts of the rest are told with the next one.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

INTERVAL_SECONDS = 60.0


@dataclass
class _Seen:
    at_seconds: float
    suppressed: int = 0


class QuietHandler(logging.Handler):
    """Passes a kind of line on to the root logger at most once in an interval.

    Lines are of a kind when they come from the same logger at the same level.

    Args:
        interval_seconds: after a line that was passed on.
    """

    def __init__(self, interval_seconds: float = INTERVAL_SECONDS) -> None:
        super().__init__()
        self._interval_seconds = interval_seconds
        self._seen: dict[tuple[str, int], _Seen] = {}
        self._seen_lock = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on, or count it."""
        key = (record.name, record.levelno)
        now = time.monotonic()
        with self._seen_lock:
            seen = self._seen.get(key)
            if seen is not None and now - seen.at_seconds < self._interval_seconds:
                seen.suppressed += 1
                return
            self._seen[key] = _Seen(now)
        if seen is not None and seen.suppressed:
            record = logging.makeLogRecord(record.__dict__)
            record.msg = f"{record.getMessage()} ({seen.suppressed} lines like it were left out before)"
            record.args = ()
        logging.getLogger().handle(record)


def quieten(name: str) -> None:
    """Put a handler of this kind between a tree of loggers and the root; again changes nothing."""
    tree = logging.getLogger(name)
    if not any(isinstance(handler, QuietHandler) for handler in tree.handlers):
        tree.addHandler(QuietHandler())
        tree.propagate = False
