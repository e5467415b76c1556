"""The vocabulary has the size asked for, the frequent words, and a letter for every word."""

import string

import numpy as np
import numpy.typing as npt
import pytest

from bert_ner.pieces import cased_forms, choose_pieces
from bert_ner.vocabulary import SPECIAL, Casing, casing_of, segment

WORDS = ["the", "of", "king", "berlin", "paris", "rome", "walk", "talk", "eat"]
LETTERS = [*string.ascii_lowercase, *string.digits, *string.punctuation, "ø", "ß"]
ENCODER = [*SPECIAL, "[unused0]", *LETTERS, *(f"##{letter}" for letter in LETTERS), *WORDS, "##ing", "##lin"]
COUNTS = {"the": 90, "The": 9, "Berlin": 50, "Paris": 40, "walk": 30, "walking": 20, "NATO": 5, "king": 7}


@pytest.fixture(scope="module")
def embeddings() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((len(ENCODER), 8)).astype(np.float32)


def test_size_order_and_sources(embeddings: npt.NDArray[np.float32]) -> None:
    pieces = choose_pieces(COUNTS, ENCODER, embeddings, 180)
    texts = [piece.text for piece in pieces]
    assert len(set(texts)) == 180
    assert tuple(texts[:5]) == SPECIAL
    for piece in pieces[5:]:
        assert ENCODER[piece.source] == piece.text.lower()
        assert piece.casing in (casing_of(piece.text.removeprefix("##")), Casing.LOWER)
    assert "[unused0]" not in texts


def test_frequent_words_are_whole_and_no_word_is_unknown(embeddings: npt.NDArray[np.float32]) -> None:
    known = {piece.text for piece in choose_pieces(COUNTS, ENCODER, embeddings, 180)}
    assert {"the", "Berlin", "Paris", "walk", "##ing"} <= known
    for word in (*COUNTS, "ZØßz", "xyz123", "QUAX"):
        assert "[UNK]" not in segment(word, known), word


def test_the_corpora_decide_on_the_casing(embeddings: npt.NDArray[np.float32]) -> None:
    chosen = {piece.text for piece in choose_pieces(COUNTS, ENCODER, embeddings, 175)}
    with_eat = {piece.text for piece in choose_pieces({**COUNTS, "EAT": 10**6}, ENCODER, embeddings, 175)}
    assert "EAT" not in chosen
    assert "EAT" in with_eat


def test_too_few_pieces_for_the_letters_are_refused(embeddings: npt.NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="100 pieces are too few; at least 167 are accepted"):
        choose_pieces(COUNTS, ENCODER, embeddings, 100)


def test_cased_forms_lead_back() -> None:
    assert cased_forms("rome") == ["rome", "ROME", "Rome"]
    assert cased_forms("##ing") == ["##ing", "##ING"]
    assert cased_forms("ß") == ["ß"]
    assert cased_forms("7") == ["7"]
