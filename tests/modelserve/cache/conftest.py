"""A clock for the cache's circuit breakers."""

from __future__ import annotations

import pytest


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Seconds for a circuit breaker's pause."""
    return Clock()
