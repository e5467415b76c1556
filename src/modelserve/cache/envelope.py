"""How a value lies in a store that others can write to: after a checksum of its key and itself.

A value that was cut, overwritten by another program, or read for another key does not open, and is a
miss. The checksum finds accidents. It keeps nobody out who means to forge values: that is what the
store's password and its network are for.
"""

from __future__ import annotations

from hashlib import blake2b

CHECKSUM_BYTES = 8


def seal(key: bytes, value: bytes) -> bytes:
    """The bytes to store for a value under a key."""
    return _checksum(key, value) + value


def unseal(key: bytes, stored: bytes) -> bytes | None:
    """The value that ``seal`` stored under the key; None where it did not."""
    checksum, value = stored[:CHECKSUM_BYTES], stored[CHECKSUM_BYTES:]
    return value if checksum == _checksum(key, value) else None


def _checksum(key: bytes, value: bytes) -> bytes:
    state = blake2b(digest_size=CHECKSUM_BYTES, person=b"modelserve val 1")
    state.update(len(key).to_bytes(8, "little"))
    state.update(key)
    state.update(value)
    return state.digest()
