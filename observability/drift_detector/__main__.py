"""``python -m drift_detector``: the detector's process."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from drift_detector.settings import DetectorSettings
from modelserve.drift.references import Reference
from modelserve.errors import ModelServeError
from modelserve.logs import configure_logging
from modelserve.settings import current_revision, parse_settings

logger = logging.getLogger("drift_detector")


def main(argv: Sequence[str]) -> int:
    """Detect until a signal; 0 after it, 1 when that cannot begin, 2 for bad usage."""
    settings = parse_settings(DetectorSettings, argv, program="python -m drift_detector")
    configure_logging(
        log_format=settings.log_format, log_level=settings.log_level, revision=current_revision()
    )
    from drift_detector.detecting import detect  # noqa: PLC0415  # --help answers at once

    try:
        detect(settings, list(_read_references(settings.references)))
    except (ModelServeError, ValueError) as error:
        logger.error("%s", error)
        return 1
    return 0


def _read_references(paths: Sequence[Path]) -> Iterator[Reference]:
    for path in paths:
        files = sorted(path.glob("*.zip")) if path.is_dir() else [path]
        yield from map(Reference.load, files)


sys.exit(main(sys.argv[1:]))
