"""Where the sentences of a document are.

``sentencex`` finds the ends of sentences; its strings are only used to find the places of those ends, so
that whatever it does every character of a document is in one sentence, or is a space between two.

An end within a name costs the name, and a missed one hardly anything: the model reads two sentences at
once. So an end that may be none is dropped, beside those which the library leaves out itself.

A document is read in blocks, each from the last end that was found in the one before. That bounds the
time, as some of the library's patterns take time that grows with the square of the text, and the
sentences: of a text without any end, such as a table or a log, nothing is longer than a block.
"""

from __future__ import annotations

from collections.abc import Iterator

from sentencex import segment

BLOCK = 4096
"""Characters of a block: twenty long sentences, and at most 16 KiB of UTF-8."""

_CONTEXT = 64
"""Characters that must follow an end within its block: what follows tells whether it is one."""

_SPACES = {code: " " for code in range(0x80, 0x3001) if chr(code).isspace()}
"""Spaces of more than one byte, on some of which the library fails: it steps over them by one."""

Span = tuple[int, int]
"""Start and end, in code points."""


def find_sentences(document: str, language: str) -> list[Span]:
    """The spans of the sentences of a document, in order and without the spaces around them.

    They do not overlap, none is empty or longer than ``BLOCK``, and what they leave out is space.

    Args:
        document: of any length.
        language: by its Wikipedia's code; one that the library does not know stands for English.
    """
    spans, start = [], 0
    for end in _ends(document, language):
        sentence = document[start:end]
        stripped = sentence.strip()
        if stripped:
            first = start + len(sentence) - len(sentence.lstrip())
            spans.append((first, first + len(stripped)))
        start = end
    return spans


def _ends(document: str, language: str) -> Iterator[int]:
    """The end of each sentence, ascending; the last is that of the document."""
    start = 0
    while len(document) - start > BLOCK:
        block = document[start : start + BLOCK]
        ends = [end for end in _ends_within(block, language) if end <= BLOCK - _CONTEXT]
        for end in ends or [_place_to_cut(block)]:
            yield start + end
        start += ends[-1] if ends else _place_to_cut(block)
    for end in _ends_within(document[start:], language):
        yield start + end
    yield len(document)


def _ends_within(block: str, language: str) -> Iterator[int]:
    """The end of each sentence that is found in a block."""
    plain, end = block.translate(_SPACES), 0
    for sentence in _segment(plain, language):
        if sentence.isspace():  # what is between two paragraphs
            continue
        found = plain.find(sentence, end)
        if found >= 0 and sentence:
            end = found + len(sentence)
            if not _goes_on(sentence, plain[end : end + _CONTEXT]):
                yield end


def _segment(block: str, language: str) -> list[str]:
    """What the library makes of a block; one sentence where it fails, so that no text is a call's failure."""
    try:
        sentences: list[str] = segment(language, block)
    except BaseException as error:
        # A panic of Rust is no Exception, and its class cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        return [block]
    return sentences


def _goes_on(sentence: str, after: str) -> bool:
    """Whether a sentence may go on at what the library takes for its end."""
    words, following = sentence.rstrip(), after.lstrip()
    gap = after[: len(after) - len(following)]
    if gap.count("\n") > 1:
        return False  # the end of a paragraph
    if following[:1].islower() or following[:1].isdecimal():
        return True
    if words[-1].isascii() and len(words) == len(sentence) and following and not gap:
        return True  # no space, as in Node.JS; scripts with an end of their own need none
    # An initial, or the last letter of an abbreviation such as U.S. or p.m.
    return words[-1] == "." and words[-2:-1].isalpha() and not words[-3:-2].isalpha()


def _place_to_cut(block: str) -> int:
    """Where a block without an end of a sentence is cut: behind its last space, else behind all of it."""
    words = block.rsplit(maxsplit=1)
    return len(block) - len(words[1]) if len(words) == 2 and not block[-1].isspace() else len(block)
