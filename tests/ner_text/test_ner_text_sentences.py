"""The sentences of any document: nothing is lost, nothing is bent, and names stay whole."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sentencex import segment

from modelserve.sentences import BLOCK, Span, find_sentences

PIECES = st.sampled_from(
    [
        *(". ", "! ", "? ", "... ", "。", "…", "؟ ", "। ", ".", "!\n", "\n", "\n\n", "\n\r\n", "\r\n\r\n"),
        *(" ", "\t", "\u00a0", "\u3000", "\u2028", "\x1c", "\u200b", "\ufeff", "\0"),
        *('"', "'", "\u201c", "\u201d", "«", "»", "(", ")", "[", "]", "a@b.c", "https://a.b/c."),
        *(
            "Dr.",
            "U.S.",
            "St.",
            "J.",
            "e.g.",
            "No.",
            "1.",
            "3.14",
            "Angela",
            "Merkel",
            "met",
            "東京",
            "日本。",
        ),
        *("é", "e\u0301", "\u0301", "🙂", "👩‍👩‍👧", "🇩🇪", "\u202e", "Straße", "İ"),
    ]
)
DOCUMENTS = st.one_of(st.text(), st.lists(PIECES).map("".join))


def check(document: str, spans: list[Span]) -> None:
    """Hold what every document's sentences must be."""
    place = 0
    for start, end in spans:
        assert place <= start < end <= len(document)
        assert document[place:start].strip() == ""
        assert document[start:end].strip() == document[start:end]
        assert end - start <= BLOCK
        place = end
    assert document[place:].strip() == ""


@settings(deadline=None)
@given(DOCUMENTS, st.sampled_from(["en", "de", "fr", "zh", "ja", "hi", "ar", "hy", "el", "pt-br", "xyz"]))
@example("One.\r\n\r\nTwo three.\n\r\r\nFour.", "en")
def test_sentences_are_in_order_and_leave_out_only_space(document: str, language: str) -> None:
    check(document, find_sentences(document, language))


@settings(deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=20).map("".join), st.integers(BLOCK // 2, 3 * BLOCK))
def test_so_they_are_where_a_document_is_read_in_blocks(piece: str, length: int) -> None:
    document = (piece * (length // len(piece) + 1))[:length]
    check(document, find_sentences(document, "en"))


def sentences(document: str, language: str = "en") -> list[str]:
    return [document[start:end] for start, end in find_sentences(document, language)]


def test_sentences_of_a_document() -> None:
    document = (
        "  Angela Merkel met Barack Obama in Berlin. They spoke for 3.5 hours! Did it help?\n\n"
        "Nobody knows.\r\n\r\nThe end   "
    )
    assert sentences(document) == [
        "Angela Merkel met Barack Obama in Berlin.",
        "They spoke for 3.5 hours!",
        "Did it help?",
        "Nobody knows.",
        "The end",
    ]
    assert sentences("") == sentences(" \n\u00a0\t") == []


@pytest.mark.parametrize(
    "document",
    [
        "Dr. Angela Merkel met Mr. Obama.",
        "The U.S. Army left the U.S. Capitol.",
        "They went from St. Louis to Mt. Everest with Ulysses S. Grant.",
        "J. R. R. Tolkien and J.R.R. Tolkien and George W. Bush wrote.",
        "Acme Inc. Europe and Apple Corp. Japan and Smith Bros. Circus merged.",
        "Martin Luther King Jr. Day is in Jan. 2027.",
        "Gen. Robert E. Lee met Lt. Col. John Smith and Prof. Jane Doe.",
        "Yahoo! News and Jeopardy! are names of Apollo Nr. 11.",
        "He said at 8 p.m. EST that Washington D.C. United played.",
        "Angela\nMerkel lives in New\r\nYork.",
        "See No. 5 of Vol. 3, e.g. The Hague or Node.JS.",
    ],
)
def test_no_end_within_a_name(document: str) -> None:
    assert sentences(document) == [document]


@pytest.mark.parametrize(
    ("language", "document", "expected"),
    [
        ("de", "Herr Dr. Meier zog um. Sie sitzt nun in St. Pölten.", 2),
        ("fr", "M. Dupont habite à Paris. Il y travaille.", 2),
        ("ja", "安倍晋三は東京で生まれた。彼は政治家だった。", 2),
        ("zh-hans", "他在北京。她在上海。", 2),
        ("hi", "वह दिल्ली में है। मैं मुंबई में हूँ।", 2),
    ],
)
def test_other_languages(language: str, document: str, expected: int) -> None:
    assert len(sentences(document, language)) == expected


PANIC = "e.g. X\u00a0. "
"""On which sentencex 1.0.32 fails."""


def test_spaces_on_which_the_library_fails_do_not_reach_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert sentences(f"One.\u00a0{PANIC}Two.\u3000") == ["One.\u00a0e.g. X\u00a0.", "Two."]
    assert capfd.readouterr().err == ""


def test_a_failure_of_the_library_makes_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelserve.sentences.segment", lambda language, _: segment(language, PANIC))
    assert sentences("One. Two. ") == ["One. Two."]


def test_what_is_no_prose_is_cut_at_spaces() -> None:
    row = "name,value;" * 9
    document = f"{row}\t" * 1000
    found = sentences(document)
    check(document, find_sentences(document, "en"))
    assert len(found) == -(-len(document) // BLOCK)
    assert {part for one in found for part in one.split("\t")} == {row}


def test_a_block_does_not_show_in_the_sentences() -> None:
    sentence = "Prof. Jane Doe of the U.S. Army met Angela Merkel in St. Louis on that day."
    for shift in range(0, len(sentence), 7):
        document = "x" * shift + f" {sentence}" * 500
        found = sentences(document)
        assert found[1:] == [sentence] * 499


@pytest.mark.parametrize(
    "piece",
    ["a", "a ", "🙂", ". ", "A. ", '"a." ', "(a. ", ")", "'", "a@", "Dr. ", "\n\n", "1. ", "«", "\r\n"],
)
def test_a_mebibyte_of_anything_takes_a_few_seconds_at_most(piece: str) -> None:
    document = piece * (2**20 // len(piece.encode()))
    began = time.process_time()
    check(document, find_sentences(document, "en"))
    assert time.process_time() - began < 3
