"""The optional cache of answers: what a model says to one input does not change, so it is kept.

A cache only ever saves work. It may forget, and it may be unreachable; neither is an error of a call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass
class CacheCounters:
    """What a cache has done since it was opened; the metrics read it.

    Attributes:
        hits: keys that were found.
        misses: keys that were not, for whatever reason.
        failures: exchanges with the store that failed. A call that was spared an exchange, as the store
            had failed before, is none.
        corrupt: values that were found and are not what was kept; each is a miss too.
    """

    hits: int = 0
    misses: int = 0
    failures: int = 0
    corrupt: int = 0


class ResponseCache(Protocol):
    """Values by key, both of them bytes. Used on one event loop, and not after ``close``."""

    @property
    def counters(self) -> CacheCounters:
        """Counts since the cache was opened."""
        ...

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Look keys up.

        Returns:
            A value or None for each key, in the order of the keys. Never an error of the store.
        """
        ...

    async def put_many(self, items: Mapping[bytes, bytes]) -> None:
        """Keep values, as far as there is room. Never an error of the store."""
        ...

    async def close(self) -> None:
        """Let go of connections and memory."""
        ...
