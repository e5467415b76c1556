"""A verdict as others read it: JSON, the same in reports, over HTTP and in events."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from modelserve.drift.verdicts import Verdict


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """What ``events/schemas/dev.modelserve.drift.detected.json`` describes."""
    component = verdict.source.component
    return {
        "source": {
            "namespace": component.namespace,
            "service": component.service,
            "component": component.name,
            "revision": verdict.source.revision,
            "model_digest": verdict.source.model_digest,
        },
        "baseline": verdict.baseline,
        "reference_version": verdict.reference_version,
        "opened": _time(verdict.opened),
        "closed": _time(verdict.closed),
        "samples": verdict.samples,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "alarm": verdict.alarm,
        "features": [asdict(found) for found in verdict.features],
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
