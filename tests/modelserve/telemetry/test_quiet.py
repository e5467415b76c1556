from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from modelserve.telemetry import quiet


def test_one_line_of_a_kind_in_an_interval(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(quiet, "time", SimpleNamespace(monotonic=lambda: clock.now))
    quiet.quieten("made_up")
    quiet.quieten("made_up")
    logger = logging.getLogger("made_up.exporter")
    for number in range(3):
        logger.error("batch %d failed", number)
    logger.warning("retrying")
    clock.now = quiet.INTERVAL_SECONDS
    logger.error("batch %d failed", 3)
    assert [(record.levelname, record.name, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "made_up.exporter", "batch 0 failed"),
        ("WARNING", "made_up.exporter", "retrying"),
        ("ERROR", "made_up.exporter", "batch 3 failed (2 lines like it were left out before)"),
    ]
