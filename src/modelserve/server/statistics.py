"""Counts and times per model, in the form of V2's statistics extension."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Duration:
    count: int = 0
    ns: int = 0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.ns += round(seconds * 1e9)


@dataclass
class ModelStatistics:
    """What one model has answered since the server started; kept on the event loop's thread."""

    last_inference_ms: int = 0
    executions: int = 0
    success: _Duration = field(default_factory=_Duration)
    fail: _Duration = field(default_factory=_Duration)
    queue: _Duration = field(default_factory=_Duration)

    def record(self, *, succeeded: bool, seconds: float) -> None:
        """Count one call and its duration."""
        (self.success if succeeded else self.fail).add(seconds)
        if succeeded:
            self.last_inference_ms = time.time_ns() // 1_000_000

    def computed(self) -> None:
        """Count one batch; on the engine's thread, which alone does."""
        self.executions += 1

    def as_json(self, name: str, version: str) -> dict[str, Any]:
        """One entry of ``model_stats``."""
        return {
            "name": name,
            "version": version,
            "last_inference": self.last_inference_ms,
            "inference_count": self.success.count,
            "execution_count": self.executions,
            "inference_stats": {
                key: {"count": value.count, "ns": value.ns}
                for key, value in (("success", self.success), ("fail", self.fail), ("queue", self.queue))
            },
        }
