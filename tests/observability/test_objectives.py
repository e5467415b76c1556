"""Dashboards and alerts have one set of objectives."""

from __future__ import annotations

import re
from pathlib import Path

from grafana import objectives

RULES = Path(__file__).parents[2] / "observability" / "prometheus" / "rules"


def factors(series: str) -> set[float]:
    """What an alert's burn rates are multiplied by."""
    return {
        float(share)
        for share in re.findall(
            rf"slo:{series}:ratio_rate\w+ > [0-9.]+ \* ([0-9.]+)", (RULES / "slo.yaml").read_text()
        )
    }


def test_shares_are_the_same() -> None:
    assert factors("errors") == {objectives.FAILED_SHARE}
    assert factors("slow") == {objectives.SLOW_SHARE}


def test_what_is_slow_is_the_same() -> None:
    found = re.findall(
        r'modelserve_request_seconds_bucket{[^}]*le="([0-9.]+)"', (RULES / "recording.yaml").read_text()
    )
    assert {float(edge) for edge in found} == {objectives.SLOW_SECONDS}
