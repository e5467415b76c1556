"""Log lines about what may happen thousands of times a second."""

from __future__ import annotations

import logging
from time import monotonic


class Seldom:
    """Logs at once, then at most once in some seconds, and says how often it kept silent.

    Args:
        logger: that writes.
        seconds: between two lines of the same sentence.
    """

    def __init__(self, logger: logging.Logger, *, seconds: float) -> None:
        self._logger, self._seconds = logger, seconds
        self._said: dict[str, tuple[float, int]] = {}

    def log(self, level: int, sentence: str, error: BaseException | None = None) -> None:
        """Log a sentence, with the traceback of an error, unless it was said a moment ago."""
        now = monotonic()
        since, kept = self._said.get(sentence, (-self._seconds, 0))
        if now - since < self._seconds:
            self._said[sentence] = (since, kept + 1)
            return
        self._said[sentence] = (now, 0)
        more = f" ({kept} more since it was last said)" if kept else ""
        self._logger.log(level, "%s%s", sentence, more, exc_info=error)
