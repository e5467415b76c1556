"""Opens the cache that a URL names."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote

from modelserve.cache import ResponseCache
from modelserve.cache.memory import MemoryCache
from modelserve.secrecy import split_url

_ACCEPTED = (
    "memory://, redis://[user:password@]host[:port][/database] or the same with rediss:// for TLS, "
    "where SSL_CERT_FILE may name the certificates to trust; a special character in the password is "
    "percent-encoded"
)


_YEAR_SECONDS = 365 * 24 * 3600.0


def open_cache(
    url: str, *, max_bytes: int, ttl_seconds: float, timeout_seconds: float = 0.05
) -> ResponseCache:
    """Open a cache. Nothing is connected yet: a Redis that is away is no reason not to serve.

    Args:
        url: ``memory://``, or ``redis://`` or ``rediss://`` with a host.
        max_bytes: bound of the cache in this process; Redis has a bound of its own, ``maxmemory``.
        ttl_seconds: how long a value is given out, at most a year.
        timeout_seconds: the most that a lookup in Redis takes, connecting included.

    Raises:
        ValueError: the URL, the bound or a time cannot be used; the message says what is accepted, and
            repeats no password.
    """
    if max_bytes <= 0:
        raise ValueError(f"a cache of {max_bytes} bytes holds nothing; max_bytes is 1 or more")
    if not 0 < ttl_seconds <= _YEAR_SECONDS:
        raise ValueError(f"values cannot live for {ttl_seconds} s; ttl_seconds is over 0 and at most a year")
    if not timeout_seconds > 0:
        raise ValueError(f"nothing answers within {timeout_seconds} s; timeout_seconds is over 0")
    parts = split_url(url)
    if parts is None:
        raise _bad_url("it is malformed")
    if parts.scheme == "memory":
        if url != "memory://":
            raise _bad_url("memory:// takes nothing behind it")
        return MemoryCache(max_bytes=max_bytes, ttl_seconds=ttl_seconds)
    if parts.scheme in ("redis", "rediss"):
        return _open_redis(parts, ttl_seconds, timeout_seconds)
    raise _bad_url(f"its scheme is {parts.scheme!r}" if parts.scheme else "it has no scheme")


def _open_redis(parts: SplitResult, ttl_seconds: float, timeout_seconds: float) -> ResponseCache:
    # 0.1 s, which a server without a cache or with one in its memory is spared.
    from modelserve.cache.redis_cache import RedisAddress, RedisCache  # noqa: PLC0415

    if not parts.hostname:
        raise _bad_url("it names no host")
    if parts.port == 0:
        raise _bad_url("its port is 0")
    if parts.query or parts.fragment:
        raise _bad_url("it has a query or a fragment")
    database = parts.path.strip("/") or "0"
    if not (database.isascii() and database.isdigit()):
        raise _bad_url("its database is no number")
    address = RedisAddress(
        host=unquote(parts.hostname),
        port=parts.port or 6379,
        database=int(database),
        is_tls=parts.scheme == "rediss",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
    return RedisCache(address, ttl_seconds=ttl_seconds, timeout_seconds=timeout_seconds)


def _bad_url(reason: str) -> ValueError:
    return ValueError(f"the cache's URL cannot be used: {reason}; accepted is {_ACCEPTED}")
