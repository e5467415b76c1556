"""The cache of one process: the values used last, within a bound in bytes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from modelserve.cache import CacheCounters

OVERHEAD_BYTES = 384
"""What an entry costs beside its key and its value: two ``bytes`` objects, their tuple, a time, and the
entry in the ordered dictionary, whose tables are far from full after they have grown."""

LARGEST_SHARE = 8
"""A value over this part of the bound, one eighth, is not kept: it would push out many others."""


class _Entry(NamedTuple):
    value: bytes
    expires_at: float


class MemoryCache:
    """Least recently used values are dropped first.

    Nothing in it waits, and all of it runs on one event loop, so there is no lock. It is not safe to use
    from several threads.

    Args:
        max_bytes: bound of keys, values and ``OVERHEAD_BYTES`` for each.
        ttl_seconds: how long a value is given out after it was put.
        clock: seconds on a clock that never goes back.
    """

    def __init__(
        self, *, max_bytes: int, ttl_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes = max_bytes
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self.size_bytes = 0
        self.counters = CacheCounters()

    def __len__(self) -> int:
        """Values that are held."""
        return len(self._entries)

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Look keys up; each one found counts as used."""
        found = [self._get(key) for key in keys]
        misses = found.count(None)
        self.counters.misses += misses
        self.counters.hits += len(found) - misses
        return found

    async def put_many(self, items: Mapping[bytes, bytes]) -> None:
        """Keep values, and drop those used longest ago to make room."""
        for key, value in items.items():
            self._put(key, value)

    async def close(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.size_bytes = 0

    def _get(self, key: bytes) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._clock() >= entry.expires_at:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def _put(self, key: bytes, value: bytes) -> None:
        # The value under this key is out of date, whether or not the new one is kept.
        if key in self._entries:
            self._drop(key)
        size = _size(key, value)
        if size > self._max_bytes // LARGEST_SHARE:
            return
        while self.size_bytes + size > self._max_bytes:
            self._drop(next(iter(self._entries)))
        self._entries[key] = _Entry(value, self._clock() + self._ttl_seconds)
        self.size_bytes += size

    def _drop(self, key: bytes) -> None:
        self.size_bytes -= _size(key, self._entries.pop(key).value)


def _size(key: bytes, value: bytes) -> int:
    return len(key) + len(value) + OVERHEAD_BYTES
