from __future__ import annotations

import asyncio
import logging
import os
import random
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from modelserve.cache.envelope import seal
from modelserve.cache.opening import open_cache
from modelserve.cache.redis_cache import CONNECTIONS, KEY_PREFIX, MAX_VALUE_BYTES, RedisCache

# The machine that tests may be busy; what is under test here is not how quick Redis is.
PATIENT_SECONDS = 30.0


def key(number: int) -> bytes:
    return number.to_bytes(32, "little")


OpenCache = Callable[..., RedisCache]


@pytest.fixture
async def open_at() -> AsyncIterator[OpenCache]:
    """Opens caches at URLs, and closes them after the test."""
    caches: list[RedisCache] = []

    def open_at(url: str, *, ttl_seconds: float = 60, timeout_seconds: float = PATIENT_SECONDS) -> RedisCache:
        cache = open_cache(url, max_bytes=1, ttl_seconds=ttl_seconds, timeout_seconds=timeout_seconds)
        assert isinstance(cache, RedisCache)
        caches.append(cache)
        return cache

    yield open_at
    for cache in caches:
        await cache.close()


async def test_values_are_found_by_another_replica(redis_server: Any, open_at: OpenCache) -> None:
    one, other = open_at(redis_server.url), open_at(redis_server.url)
    await one.put_many({key(1): b"one", key(2): b"", key(3): bytes(range(256))})
    assert await other.get_many([key(3), key(9), key(1), key(2), key(1)]) == [
        bytes(range(256)),
        None,
        b"one",
        b"",
        b"one",
    ]
    counters = other.counters
    assert (counters.hits, counters.misses, counters.failures, counters.corrupt) == (4, 1, 0, 0)


async def test_a_database_and_a_prefix_keep_others_values_apart(
    redis_server: Any, open_at: OpenCache
) -> None:
    cache = open_at(f"{redis_server.url}/1")
    await cache.put_many({key(1): b"one"})
    assert redis_server.client.dbsize() == 0
    redis_server.client.select(1)
    assert redis_server.client.keys() == [KEY_PREFIX + key(1)]


async def test_a_call_is_one_round_trip(redis_server: Any, open_at: OpenCache) -> None:
    cache = open_at(redis_server.url)
    items = {key(number): b"value" for number in range(200)}
    await cache.put_many(items)

    def reads() -> int:
        return int(redis_server.client.info("stats")["total_reads_processed"])

    before = reads()
    assert await cache.get_many(list(items)) == list(items.values())
    # 12 KB may come in pieces; one of the reads is INFO's.
    assert reads() - before <= 4
    before = reads()
    await cache.put_many(items)
    assert reads() - before <= 6
    assert redis_server.client.info("commandstats")["cmdstat_mget"]["calls"] == 1


async def test_nothing_to_look_up_asks_nobody(open_at: OpenCache) -> None:
    cache = open_at("redis://127.0.0.1:1")
    assert await cache.get_many([]) == []
    await cache.put_many({})
    assert cache.counters.failures == 0


async def test_values_have_a_lifetime(redis_server: Any, open_at: OpenCache) -> None:
    cache = open_at(redis_server.url, ttl_seconds=600)
    await cache.put_many({key(1): b"one"})
    assert 0 < redis_server.client.pttl(KEY_PREFIX + key(1)) <= 600_000
    brief = open_at(redis_server.url, ttl_seconds=0.0001)
    await brief.put_many({key(2): b"two"})
    until = time.monotonic() + 60
    while await brief.get_many([key(2)]) != [None]:
        assert time.monotonic() < until, "a value outlived its lifetime of a millisecond"
    assert await cache.get_many([key(1)]) == [b"one"]


async def test_a_large_value_is_not_kept(redis_server: Any, open_at: OpenCache) -> None:
    cache = open_at(redis_server.url)
    largest = bytes(MAX_VALUE_BYTES)
    await cache.put_many({key(1): largest, key(2): largest + b"0", key(3): b"three"})
    assert await cache.get_many([key(1), key(2), key(3)]) == [largest, None, b"three"]


async def test_what_others_wrote_under_our_keys_is_a_miss(
    redis_server: Any, caplog: pytest.LogCaptureFixture, open_at: OpenCache
) -> None:
    cache = open_at(redis_server.url)
    client = redis_server.client
    strings = [
        b"",
        b"12345678",
        b"a value without a checksum",
        seal(key(99), b"of another key"),
        seal(key(4), b"cut")[:-1],
        os.urandom(4096),
    ]
    for number, stored in enumerate(strings):
        client.set(KEY_PREFIX + key(number), stored)
    client.rpush(KEY_PREFIX + key(6), "a list")
    client.hset(KEY_PREFIX + key(7), "a", "hash")
    client.incr(KEY_PREFIX + key(8))
    keys = [key(number) for number in range(9)]
    assert await cache.get_many(keys) == [None] * 9
    assert await cache.get_many(keys) == [None] * 9
    # MGET has no value for the list and the hash.
    assert cache.counters.corrupt == 2 * 7
    assert cache.counters.misses == 2 * 9
    assert cache.counters.failures == 0
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    await cache.put_many(dict.fromkeys(keys, b"ours"))
    assert await cache.get_many(keys) == [b"ours"] * 9


@pytest.mark.parametrize("seed", range(3))
async def test_callers_that_go_away_mix_no_answers_up(
    redis_server: Any, seed: int, open_at: OpenCache
) -> None:
    chance = random.Random(seed)
    cache = open_at(redis_server.url)
    items = {key(number): f"value {number}".encode() * 50 for number in range(400)}
    await cache.put_many(items)

    async def ask(number: int) -> None:
        keys = [key((number + step) % 500) for step in range(chance.randrange(1, 20))]
        assert await cache.get_many(keys) == [items.get(each) for each in keys]

    async def write(number: int) -> None:
        await cache.put_many({key(number % 400): items[key(number % 400)]})

    for _ in range(10):
        tasks = [asyncio.create_task(chance.choice([ask, ask, write])(number)) for number in range(60)]
        for task in chance.sample(tasks, 40):
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
        assert asyncio.CancelledError in {type(result) for result in results}
    assert await cache.get_many(list(items)) == list(items.values())
    assert (cache.counters.failures, cache.counters.corrupt) == (0, 0)
    # No connection was given up, and none was made beyond the bound: the others are the tests' own.
    assert redis_server.client.info("stats")["total_connections_received"] <= CONNECTIONS + 1


async def test_closing_waits_for_calls_whose_callers_have_gone(redis_server: Any, open_at: OpenCache) -> None:
    cache = open_at(redis_server.url)
    task = asyncio.create_task(cache.put_many({key(1): b"one"}))
    await asyncio.sleep(0)
    task.cancel()
    await cache.close()
    assert redis_server.client.exists(KEY_PREFIX + key(1))
    # The test's own connection is the only one left.
    until = time.monotonic() + 60
    while len(redis_server.client.client_list()) > 1:
        assert time.monotonic() < until, "a connection is still open"


async def test_a_password_and_a_user(
    start_redis: Any, caplog: pytest.LogCaptureFixture, open_at: OpenCache
) -> None:
    caplog.set_level(logging.DEBUG)
    user = "--user cache on >p@ss/word ~modelserve:cache:* +mget +set"
    server = start_redis(*user.split(), "--user", "default", "off")
    url = f"redis://cache:p%40ss%2Fword@127.0.0.1:{server.port}"
    cache = open_at(url)
    await cache.put_many({key(1): b"one"})
    assert await cache.get_many([key(1)]) == [b"one"]
    assert cache.counters.failures == 0
    for wrong in (server.url, url.replace("p%40ss", "secret")):
        cache = open_at(wrong)
        for _ in range(5):
            assert await cache.get_many([key(1)]) == [None]
        assert cache.counters.failures == 3
    assert "p@ss" not in caplog.text
    assert "secret" not in caplog.text


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """Files of a certificate for 127.0.0.1 and of its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.fail("openssl is not on the PATH; these tests need a certificate: apt-get install openssl")
    files = str(tmp_path / "tls.crt"), str(tmp_path / "tls.key")
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=cache"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]]
    subprocess.run(command, check=True, capture_output=True)
    return files


@pytest.fixture
def tls_redis(start_redis: Any, certificate: tuple[str, str]) -> Any:
    """A Redis that also speaks TLS, on ``tls_port``."""
    file, key_file = certificate
    server = start_redis(
        *("--tls-port", "0", "--tls-auth-clients", "no"),
        *("--tls-cert-file", file, "--tls-key-file", key_file, "--tls-ca-cert-file", file),
    )
    server.client.config_set("tls-port", server.tls_port)
    return server


async def test_tls_trusts_the_certificates_that_it_is_told(
    tls_redis: Any, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch, open_at: OpenCache
) -> None:
    url = f"rediss://127.0.0.1:{tls_redis.tls_port}"
    stranger = open_at(url)
    assert await stranger.get_many([key(1)]) == [None]
    assert stranger.counters.failures == 1
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    cache = open_at(url)
    await cache.put_many({key(1): b"one"})
    assert await cache.get_many([key(1)]) == [b"one"]


async def test_a_redis_that_hangs_does_not_keep_tls_from_closing(
    tls_redis: Any, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch, open_at: OpenCache
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    cache = open_at(f"rediss://127.0.0.1:{tls_redis.tls_port}", timeout_seconds=1)
    await cache.put_many({key(1): b"one"})
    assert await cache.get_many([key(1)]) == [b"one"]
    tls_redis.hang()
    await asyncio.wait_for(cache.close(), PATIENT_SECONDS)
    tls_redis.go_on()
    # The goodbyes that TLS exchanges go on without the cache, for as long as the loop runs.
    until = time.monotonic() + 60
    while len(tls_redis.client.client_list()) > 1:
        await asyncio.sleep(0.05)
        assert time.monotonic() < until, "a connection is still open"
    await asyncio.sleep(0.05)
