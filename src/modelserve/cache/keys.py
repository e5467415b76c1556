"""Keys of the cache: equal for the same question to the same weights, and for nothing else."""

from __future__ import annotations

from hashlib import blake2b

KEY_BYTES = 32

_LENGTH_BYTES = 8


def cache_key(digest: str, kind: str, item: bytes) -> bytes:
    """The key of one item's answer.

    Each part is preceded by its length: joined bare, ``("ab", "c")`` and ``("a", "bc")`` would be the
    same bytes, and one would get the other's answer.

    Args:
        digest: of the model's weights.
        kind: everything else that the answer depends on: the input's name, the engine and its precision,
            the labels and the tokenizer, the release of the code. What is left out here is served from
            before it was changed.
        item: the input's bytes.

    Returns:
        32 bytes, of which nobody can make two equal for different arguments.
    """
    state = blake2b(digest_size=KEY_BYTES, person=b"modelserve key 1")
    for part in (digest.encode(), kind.encode(), item):
        state.update(len(part).to_bytes(_LENGTH_BYTES, "little"))
        state.update(part)
    return state.digest()
