"""Pieces split words as the tokenizers library does, and know their lowercase origin."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_ner.vocabulary import SPECIAL, Casing, Piece, build_tokenizer, casing_of, segment, words_of

TEXTS = [*SPECIAL, "a", "b", "A", "B", "##a", "##b", "##B", "ab", "Ab", "AB", "##ab", "Aba", ",", "-"]
PIECES = [Piece(text, 0, Casing.LOWER) for text in TEXTS]


@given(st.lists(st.text("abABz,-é ", min_size=1, max_size=12), max_size=5))
def test_segment_agrees_with_the_tokenizer(tokens: list[str]) -> None:
    expected = build_tokenizer(PIECES).encode(" ".join(tokens), add_special_tokens=False).tokens
    pieces = [piece for token in tokens for word in words_of(token) for piece in segment(word, set(TEXTS))]
    assert pieces == expected


@given(st.text("abB", min_size=1, max_size=12), st.integers(0, 99))
def test_dropped_pieces_still_spell_the_word(word: str, seed: int) -> None:
    pieces = segment(word, set(TEXTS), Random(seed), 0.5)
    assert "".join(piece.removeprefix("##") for piece in pieces) == word


def test_dropping_gives_smaller_pieces() -> None:
    assert segment("Aba", set(TEXTS)) == ["Aba"]
    assert segment("Aba", set(TEXTS), Random(0), 1.0) == ["A", "##b", "##a"]


def test_a_word_without_pieces_is_unknown() -> None:
    assert segment("az", set(TEXTS)) == ["[UNK]"]
    assert segment("a" * 101, set(TEXTS)) == ["[UNK]"]


@pytest.mark.parametrize(
    ("text", "casing"),
    [
        ("berlin", Casing.LOWER),
        ("1984", Casing.LOWER),
        ("Berlin", Casing.CAPITALISED),
        ("A", Casing.CAPITALISED),
        ("NATO", Casing.UPPER),
        ("iPhone", None),
        ("McDonald", None),
    ],
)
def test_casing(text: str, casing: Casing | None) -> None:
    assert casing_of(text) is casing


def test_words_lose_accents_and_keep_capitals() -> None:
    assert words_of("São-Tomé") == ["Sao", "-", "Tome"]
    assert words_of("U.S.") == ["U", ".", "S", "."]


def test_tokenizer_frames_a_text_and_keeps_offsets() -> None:
    encoding = build_tokenizer(PIECES).encode("Ába, AB")
    assert encoding.tokens == ["[CLS]", "Aba", ",", "AB", "[SEP]"]
    assert encoding.offsets[1:4] == [(0, 3), (3, 4), (5, 7)]
