from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from modelserve.cache.keys import KEY_BYTES, cache_key

PARTS = st.tuples(st.text(max_size=8), st.text(max_size=8), st.binary(max_size=8))


def test_the_format_is_the_same_in_every_release() -> None:
    # Replicas of two releases share a store: another format needs another number in the store's prefix.
    key = cache_key("d1", "text", b"Angela Merkel")
    assert key.hex() == "acc5b6850d1393dd63492de930fe6faf4ad9104ea801faa563f76185b1ac1ef4"
    assert len(key) == KEY_BYTES


@given(PARTS, PARTS)
def test_different_questions_have_different_keys(
    one: tuple[str, str, bytes], other: tuple[str, str, bytes]
) -> None:
    assume(one != other)
    assert cache_key(*one) != cache_key(*other)


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.integers(0, 24), st.integers(0, 24))
def test_a_byte_that_moves_to_the_next_part_changes_the_key(
    digest: str, kind: str, item: str, first: int, second: int
) -> None:
    joined = digest + kind + item
    start, end = sorted((min(first, len(joined)), min(second, len(joined))))
    moved = (joined[:start], joined[start:end], joined[end:])
    assume(moved != (digest, kind, item))
    assert cache_key(moved[0], moved[1], moved[2].encode()) != cache_key(digest, kind, item.encode())


@given(PARTS)
def test_the_same_question_has_the_same_key(parts: tuple[str, str, bytes]) -> None:
    assert cache_key(*parts) == cache_key(*parts)
