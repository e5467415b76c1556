"""Redis as the detectors share it: short time-outs, no call tried twice, errors of one kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from modelserve.database import StoreError

PREFIX = "modelserve:drift:1:"
"""Before every key. Its number is that of the format of keys and values."""

_TIMEOUT_SECONDS = 2.0


def keys_of(whose: Iterable[str], *names: str) -> list[str]:
    """The keys of a component or a source, whose names may be long and of any characters."""
    digest = blake2b(json.dumps(list(whose)).encode(), digest_size=12).hexdigest()
    # What is between braces decides where a Redis of several servers keeps them: together.
    return [f"{{{digest}}}:{name}" for name in names]


class SharedRedis:
    """A Redis and the scripts that run on it.

    A call whose answer was lost may have been done, so that nothing is tried a second time here: who calls
    knows what can be repeated.

    Args:
        url: ``redis://[user:password@]host[:port][/database]``, or ``rediss://`` for TLS.

    Raises:
        StoreError: it is no such URL.
    """

    def __init__(self, url: str) -> None:
        try:
            self._client = Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:
            # Without its cause, which can repeat a part of the password.
            raise StoreError(
                "this is no URL of a Redis; redis://[user:password@]host[:port][/database] or the same with "
                "rediss:// for TLS is accepted"
            ) from None
        folder = files("modelserve.drift.shared")
        self._scripts = {
            name: self._client.register_script(folder.joinpath(f"{name}.lua").read_text())
            for name in ("offer", "expire", "add", "take", "done")
        }

    def run(self, script: str, keys: Sequence[str], *arguments: bytes | str | int) -> Any:
        """What a script of this folder gives.

        Raises:
            StoreError: Redis does not answer, or cannot take it.
        """
        try:
            return self._scripts[script](keys=[PREFIX + key for key in keys], args=arguments)
        except RedisError as error:
            raise _unusable(error) from error

    def touch(self, key: str, member: str, *, at: float) -> None:
        """Put a member into a sorted set, or give it another time.

        Raises:
            StoreError: likewise.
        """
        try:
            self._client.zadd(PREFIX + key, {member: at})
        except RedisError as error:
            raise _unusable(error) from error

    def touched(self, key: str, *, since: float) -> list[str]:
        """The members of a sorted set that were put there since a time; older ones are taken out.

        Raises:
            StoreError: likewise.
        """
        try:
            with self._client.pipeline() as pipeline:
                pipeline.zremrangebyscore(PREFIX + key, "-inf", f"({since}")
                pipeline.zrange(PREFIX + key, 0, -1)
                members = pipeline.execute()[1]
        except RedisError as error:
            raise _unusable(error) from error
        return [member.decode() for member in members]

    def close(self) -> None:
        """Let go of its connections."""
        self._client.close()


def _unusable(error: RedisError) -> StoreError:
    return StoreError(f"the shared state in Redis cannot be used: {error}")
