"""One Redis for all tests of the shared state, emptied before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from modelserve.drift.shared.redis import SharedRedis


@pytest.fixture
def connect(redis_server: object) -> Iterator[Callable[[], SharedRedis]]:
    """Connections of further detectors to the Redis of ``redis_server``."""
    opened: list[SharedRedis] = []

    def one() -> SharedRedis:
        opened.append(SharedRedis(redis_server.url))  # type: ignore[attr-defined]
        return opened[-1]

    yield one
    for each in opened:
        each.close()
