from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections import OrderedDict

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from modelserve.cache.memory import LARGEST_SHARE, OVERHEAD_BYTES, MemoryCache

KEYS = st.sampled_from([b"a", b"bb", b"cccc", b"dddddddd", b""])
VALUES = st.integers(0, 700).map(bytes)


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def size(key: bytes, value: bytes) -> int:
    return len(key) + len(value) + OVERHEAD_BYTES


class AnyUse(RuleBasedStateMachine):
    """The cache against an ordered dictionary that is trimmed in the plainest way."""

    @initialize(max_bytes=st.integers(2000, 9000), ttl_seconds=st.integers(1, 5))
    def open(self, max_bytes: int, ttl_seconds: int) -> None:
        self.clock = Clock()
        self.max_bytes = max_bytes
        self.ttl_seconds = ttl_seconds
        self.cache = MemoryCache(max_bytes=max_bytes, ttl_seconds=ttl_seconds, clock=self.clock)
        self.model: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self.hits = self.misses = 0

    @rule(seconds=st.integers(0, 3))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule(keys=st.lists(KEYS, max_size=4))
    def get(self, keys: list[bytes]) -> None:
        expected: list[bytes | None] = []
        for key in keys:
            value, expires_at = self.model.get(key, (None, 0.0))
            if value is not None and self.clock.now >= expires_at:
                del self.model[key]
                value = None
            if value is not None:
                self.model.move_to_end(key)
            expected.append(value)
        self.hits += sum(value is not None for value in expected)
        self.misses += sum(value is None for value in expected)
        assert asyncio.run(self.cache.get_many(keys)) == expected

    @rule(items=st.dictionaries(KEYS, VALUES, max_size=4))
    def put(self, items: dict[bytes, bytes]) -> None:
        for key, value in items.items():
            self.model.pop(key, None)
            if size(key, value) * LARGEST_SHARE <= self.max_bytes:
                self.model[key] = (value, self.clock.now + self.ttl_seconds)
            while sum(size(key, value) for key, (value, _) in self.model.items()) > self.max_bytes:
                self.model.popitem(last=False)
        asyncio.run(self.cache.put_many(items))

    @rule()
    def close(self) -> None:
        self.model.clear()
        asyncio.run(self.cache.close())

    @invariant()
    def the_bound_holds_and_the_size_is_right(self) -> None:
        assert self.cache.size_bytes == sum(size(key, value) for key, (value, _) in self.model.items())
        assert self.cache.size_bytes <= self.max_bytes
        assert len(self.cache) == len(self.model)

    @invariant()
    def every_lookup_is_counted(self) -> None:
        assert (self.cache.counters.hits, self.cache.counters.misses) == (self.hits, self.misses)


TestAnyUse = AnyUse.TestCase


async def test_the_value_used_longest_ago_goes_first() -> None:
    cache = MemoryCache(max_bytes=10 * size(b"a", b"1"), ttl_seconds=60)
    letters = [bytes([letter]) for letter in b"abcdefghij"]
    await cache.put_many(dict.fromkeys(letters, b"1"))
    await cache.get_many([b"a"])
    await cache.put_many({b"k": b"2"})
    assert await cache.get_many([b"a", b"b", b"k"]) == [b"1", None, b"2"]


async def test_a_value_is_given_out_for_its_lifetime_from_when_it_was_put() -> None:
    clock = Clock()
    cache = MemoryCache(max_bytes=8000, ttl_seconds=5, clock=clock)
    await cache.put_many({b"a": b"1", b"b": b"2"})
    clock.now = 4.9
    assert await cache.get_many([b"a", b"b"]) == [b"1", b"2"]
    await cache.put_many({b"a": b"new"})
    clock.now = 5.0
    assert await cache.get_many([b"a", b"b"]) == [b"new", None]


async def test_a_value_that_would_push_out_the_others_is_not_kept() -> None:
    cache = MemoryCache(max_bytes=8000, ttl_seconds=60)
    largest = 8000 // LARGEST_SHARE - OVERHEAD_BYTES - 1
    await cache.put_many({b"a": bytes(largest), b"b": bytes(largest + 1)})
    assert await cache.get_many([b"a", b"b"]) == [bytes(largest), None]
    # The one that was there under the key is out of date.
    await cache.put_many({b"a": bytes(largest + 1)})
    assert await cache.get_many([b"a"]) == [None]


@pytest.mark.parametrize("value_bytes", [0, 100, 5000])
async def test_the_bound_is_one_of_real_memory(value_bytes: int) -> None:
    max_bytes = 4_000_000
    tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        cache = MemoryCache(max_bytes=max_bytes, ttl_seconds=60)
        for number in range(2 * max_bytes // (value_bytes + OVERHEAD_BYTES)):
            # Not bytes(n) of one length 0 or 1, of which Python has one.
            await cache.put_many({number.to_bytes(32, "little"): bytes(value_bytes)})
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert cache.size_bytes > max_bytes * 0.9
    assert after - before <= max_bytes
