"""Words, and texts in which some of them are hidden."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from token_attribution.hiding import HidingText
from token_attribution.words import Word, boundary_strengths, find_words

_SPECIAL = st.sampled_from("aZ 9.'\u2019-,\n\u0301\u200d漢かกé")
TEXTS = st.text(st.characters(codec="utf-8") | _SPECIAL, max_size=60)


def words_of(text: str) -> list[str]:
    return [text[word.start : word.end] for word in find_words(text)]


@given(TEXTS)
def test_words_are_all_that_is_not_white_space(text: str) -> None:
    words = find_words(text)
    place = 0
    for word in words:
        assert text[place : word.start].isspace() or place == word.start
        assert word.start < word.end
        assert not any(character.isspace() for character in text[word.start : word.end])
        place = word.end
    assert text[place:].strip() == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ada lives in Rome.", ["Ada", "lives", "in", "Rome", "."]),
        ("Sinéad O'Neill-Smith, (U.S.)", ["Sinéad", "O'Neill-Smith", ",", "(", "U.S", ".", ")"]),
        ("Sine\u0301ad — नमस्ते", ["Sine\u0301ad", "—", "नमस्ते"]),
        ("東京にいる", ["東", "京", "に", "い", "る"]),
        ("wait...", ["wait", ".", ".", "."]),
        (" \n ", []),
        ("", []),
    ],
)
def test_words_in_several_scripts(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_names_and_sentences_stay_together() -> None:
    text = "Ada Lovelace, a countess, lived.\nShe wrote"
    words = find_words(text)
    found = dict(zip(words_of(text), boundary_strengths(text, words, [Word(0, 12)]), strict=False))
    assert found["Ada"] < found["a"] == 0 < found["countess"] + 1
    assert found["a"] < found[","] < found["."]


@given(TEXTS.filter(lambda text: text.strip() != ""), st.data())
def test_a_name_is_found_again_where_words_are_hidden(text: str, data: st.DataObject) -> None:
    words = find_words(text)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    # A name may begin and end within words.
    start = data.draw(st.integers(words[first].start, words[first].end - 1))
    end = data.draw(st.integers(max(start, words[last].start) + 1, words[last].end))
    shown = np.array(data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words))))
    hiding = HidingText(text, words, [Word(start, end)], hidden_word="#?#")
    place = slice(*hiding.places(shown)[0].tolist())

    expected, before = "", start
    for word, is_shown in zip(words, shown.tolist(), strict=True):
        if word.end > start and word.start < end:
            expected += text[before : word.start] if word.start > start else ""
            part = text[max(word.start, start) : min(word.end, end)]
            expected += part if is_shown else "#?#"
            before = word.end
    assert hiding.vary(shown)[place] == expected


@given(TEXTS.filter(lambda text: text.strip() != ""))
def test_a_whole_text_is_itself_and_nothing_of_it_is_only_spaces(text: str) -> None:
    words = find_words(text)
    hiding = HidingText(text, words, words, hidden_word="_")
    everything = np.ones(len(words), np.bool_)
    assert hiding.vary(everything) == text
    assert hiding.places(everything).tolist() == [list(word) for word in words]
    assert hiding.vary(~everything).replace("_", "").strip() == ""
