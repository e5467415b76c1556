"""Open windows in Redis: every detector adds to them, and one judges each when it closes."""

from __future__ import annotations

import json
import struct
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence

from modelserve.database import RepeatedError, StoreError
from modelserve.drift.rows import pack, unpack
from modelserve.drift.shared.redis import SharedRedis, keys_of
from modelserve.drift.store import Store
from modelserve.drift.table import FEATURES_VERSION, Table
from modelserve.drift.verdicts import Source, Verdict
from modelserve.drift.windows import Observation, Window, parts_of, whole
from modelserve.events import Component

_HEAD = struct.Struct("<ddI")
_SOURCES = f"sources:{FEATURES_VERSION}"
"""Detectors of another version of the features, as while one is replaced, have windows of their own."""

_MOST_CLOSED = 5000
"""Parts of windows that wait to be judged, of a source: where the store is away they must not fill Redis."""

_JUDGING_MS = 60_000
"""After which whoever judges a window is taken for dead."""

_LOOK_SECONDS = 1.0
_MOST_FRESH = 20_000
_UNUSED_SECONDS = 24 * 3600.0
"""After two windows' time without a call, for how long what there is of a source is kept."""


class SharedKeeper:
    """``modelserve.drift.keeping.Keeper`` for several detectors.

    A part whose writing seemed to fail is written again, and counts once. A window is judged by one detector;
    if that dies, by another a minute later. Should both have been alive, the verdicts that are stored first
    are the ones that count.

    Args:
        redis: where the samples are.
        store: gets the windows that were judged; the same for all detectors.
        size: samples of a window, about: a window may have a part more.
        seconds: after which a window closes with what it has.
    """

    def __init__(self, redis: SharedRedis, store: Store, *, size: int, seconds: float) -> None:
        self._redis, self._store = redis, store
        self._size, self._seconds = size, seconds
        self._unused_seconds = 2 * seconds + _UNUSED_SECONDS
        self._part_size = max(1, size // 10)
        self._fresh: dict[Source, list[Observation]] = {}
        self._fresh_samples = 0
        self._unwritten: deque[tuple[Window, int]] = deque()
        self._writer, self._parts = uuid.uuid4().hex, 0
        self._taken: dict[Source, bytes] = {}
        self._looked = float("-inf")

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more samples, as when Redis has been away for long."""
        return self._fresh_samples >= _MOST_FRESH

    def add(self, source: Source, observation: Observation, *, now: float) -> bool:
        """Take a call; whether there is a part to write."""
        self._fresh.setdefault(source, []).append(observation)
        self._fresh_samples += len(observation.rows)
        return self._fresh_samples >= self._part_size and not self._unwritten

    def write(self) -> None:
        """Write what came.

        Raises:
            StoreError: Redis cannot be written now; what came is kept in memory.
        """
        for source, observations in self._fresh.items():
            for part, _ in parts_of(source, observations):
                self._parts += 1
                self._unwritten.append((part, self._parts))
        self._fresh.clear()
        while self._unwritten:
            part, number = self._unwritten[0]
            self._write(part, number)
            self._unwritten.popleft()
            self._fresh_samples -= part.table.size

    def _write(self, part: Window, number: int) -> None:
        self._redis.touch(_SOURCES, _name(part.source), at=time.time())
        is_taken = self._redis.run(
            "add",
            keys_of(_flat(part.source), "parts", "open", "closed", "seen"),
            _packed(part),
            part.table.size,
            self._size,
            self._writer,
            number,
            _MOST_CLOSED,
            int(1000 * self._unused_seconds),
        )
        if not is_taken:
            raise StoreError(f"too many windows of {part.source.revision} wait to be judged")

    def closing(self, *, now: float) -> Iterator[Window]:
        """The windows that have closed and that no other detector judges.

        Raises:
            StoreError: Redis cannot be read.
        """
        if now - self._looked < min(_LOOK_SECONDS, self._seconds):
            return
        self._looked = now
        for name in self._redis.touched(_SOURCES, since=time.time() - self._unused_seconds):
            source = _source(name)
            while taken := self._take(source):
                header, *parts = taken
                self._taken[source] = header
                yield whole([_unpacked(source, part) for part in parts])
                if source in self._taken:  # it was not closed
                    break

    def _take(self, source: Source) -> list[bytes]:
        keys = keys_of(_flat(source), "parts", "open", "closed", "judged")
        arguments = (int(1000 * self._seconds), self._writer, _JUDGING_MS)
        taken: list[bytes] = self._redis.run("take", keys, *arguments)
        return taken

    def close(self, window: Window, verdicts: Sequence[tuple[Verdict, Sequence[bytes]]]) -> bool:
        """Store what is said of a window; whether nobody had done so before.

        Raises:
            StoreError: it cannot be stored.
        """
        header = self._taken[window.source]
        try:
            self._store.close_window(window, verdicts, key=f"{_name(window.source)} {header.decode()}")
            is_first = True
        except RepeatedError:
            is_first = False
        self._redis.run("done", keys_of(_flat(window.source), "closed", "judged"), header, self._writer)
        del self._taken[window.source]
        return is_first


def _flat(source: Source) -> list[str]:
    return [str(FEATURES_VERSION), *source.component, source.revision, source.model_digest]


def _name(source: Source) -> str:
    return json.dumps(_flat(source))


def _source(name: str) -> Source:
    _, *component, revision, digest = json.loads(name)
    return Source(Component(*component), revision, digest)


def _packed(part: Window) -> bytes:
    table = part.table.to_bytes()
    return _HEAD.pack(part.opened, part.closed, len(table)) + table + pack(part.excerpts)


def _unpacked(source: Source, packed: bytes) -> Window:
    opened, closed, length = _HEAD.unpack_from(packed)
    table, excerpts = packed[_HEAD.size : _HEAD.size + length], packed[_HEAD.size + length :]
    return Window(source, opened, closed, Table.from_bytes(table), unpack(excerpts))
