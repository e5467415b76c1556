from __future__ import annotations

import subprocess
import sys
import traceback

import pytest

from modelserve.cache.memory import MemoryCache
from modelserve.cache.opening import open_cache
from modelserve.cache.redis_cache import RedisCache


async def test_memory_needs_nothing_else() -> None:
    cache = open_cache("memory://", max_bytes=10_000, ttl_seconds=60)
    assert isinstance(cache, MemoryCache)
    await cache.put_many({b"key": b"value"})
    assert await cache.get_many([b"key", b"other"]) == [b"value", None]
    await cache.close()
    assert await cache.get_many([b"key"]) == [None]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://cache", "redis://cache:6379/0"),
        ("redis://cache/", "redis://cache:6379/0"),
        ("REDIS://cache:7000/12", "redis://cache:7000/12"),
        ("rediss://user:pass@cache", "rediss://cache:6379/0"),
        ("redis://:p%40ss%2Fword@[::1]:7000/1", "redis://[::1]:7000/1"),
    ],
)
async def test_a_redis_that_is_away_is_no_reason_not_to_open(url: str, text: str) -> None:
    cache = open_cache(url, max_bytes=10_000, ttl_seconds=60)
    assert isinstance(cache, RedisCache)
    assert str(cache.address) == repr(cache.address) == text
    await cache.close()


async def test_a_password_is_decoded() -> None:
    cache = open_cache("redis://us%3Aer:p%40ss%2Fword@cache", max_bytes=1, ttl_seconds=1)
    assert isinstance(cache, RedisCache)
    assert (cache.address.username, cache.address.password) == ("us:er", "p@ss/word")
    await cache.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "no scheme"),
        ("cache:6379", "scheme is 'cache'"),
        ("memcached://cache", "scheme is 'memcached'"),
        ("unix:///run/redis", "scheme is 'unix'"),
        ("memory://10MB", "nothing behind"),
        ("memory:", "nothing behind"),
        ("redis:cache:6379", "no host"),
        ("redis://", "no host"),
        ("redis://:secret@", "no host"),
        ("redis://:secret@cache:port", "malformed"),
        ("redis://:secret@cache:70000", "malformed"),
        ("redis://:secret@cache:0", "port"),
        ("redis://[::1", "malformed"),
        ("redis://:secr/et@cache", "malformed"),
        ("redis://:secret#1@cache", "malformed"),
        ("redis://:secret@cache#1", "query or a fragment"),
        ("redis://:secret@cache/one", "database is no number"),
        ("redis://:secret@cache/-1", "database is no number"),
        ("redis://:secret@cache/1/2", "database is no number"),
        ("redis://:secret@cache?socket_timeout=60", "query or a fragment"),
    ],
)
def test_a_url_that_cannot_be_used_is_told_what_is_accepted(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        open_cache(url, max_bytes=1, ttl_seconds=1)
    assert "memory://, redis://[user:password@]host[:port][/database]" in str(caught.value)
    text = "".join(traceback.format_exception(caught.value))
    assert "secr" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_bytes", 0),
        ("max_bytes", -1),
        ("ttl_seconds", 0.0),
        ("ttl_seconds", float("nan")),
        ("ttl_seconds", float("inf")),
        ("timeout_seconds", 0.0),
        ("timeout_seconds", float("nan")),
    ],
)
@pytest.mark.parametrize("url", ["memory://", "redis://cache"])
def test_a_bound_or_a_time_that_cannot_be_used_is_refused(url: str, name: str, value: float) -> None:
    arguments: dict[str, float] = {"max_bytes": 1, "ttl_seconds": 1, name: value}
    with pytest.raises(ValueError, match=name):
        open_cache(url, **arguments)  # type: ignore[arg-type]


def test_a_server_without_redis_does_not_import_its_client() -> None:
    program = "import sys, modelserve.cache.opening; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
