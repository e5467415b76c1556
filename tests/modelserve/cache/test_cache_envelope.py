from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from modelserve.cache.envelope import seal, unseal


def test_the_format_is_the_same_in_every_release() -> None:
    # Replicas of two releases share a store: another format needs another number in the store's prefix.
    assert seal(b"key", b"value").hex() == "a93f83a64cfda65576616c7565"


@given(st.binary(), st.binary())
def test_what_was_sealed_opens(key: bytes, value: bytes) -> None:
    assert unseal(key, seal(key, value)) == value


@given(st.binary(), st.binary())
def test_what_others_wrote_does_not_open(key: bytes, stored: bytes) -> None:
    assert unseal(key, stored) is None


@given(st.binary(), st.binary(), st.binary())
def test_a_value_of_another_key_does_not_open(key: bytes, other: bytes, value: bytes) -> None:
    assume(key != other)
    assert unseal(other, seal(key, value)) is None


@given(st.binary(min_size=1), st.binary(min_size=1))
def test_a_byte_that_moves_from_the_key_to_the_value_is_noticed(key: bytes, value: bytes) -> None:
    sealed = seal(key, value)
    checksum_bytes = len(sealed) - len(value)
    assert unseal(key + value[:1], sealed[:checksum_bytes] + value[1:]) is None


@given(st.binary(), st.binary(), st.data())
def test_a_cut_value_and_a_flipped_bit_are_noticed(key: bytes, value: bytes, data: st.DataObject) -> None:
    sealed = seal(key, value)
    length = data.draw(st.integers(0, len(sealed) - 1))
    assert unseal(key, sealed[:length]) is None
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    flipped = bytearray(sealed)
    flipped[bit // 8] ^= 1 << bit % 8
    assert unseal(key, bytes(flipped)) is None
