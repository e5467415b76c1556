"""Turn sentences into batches to train on, a little different in every epoch.

Few sentences are annotated, so they are varied: some lose their capital letters or consist of them,
some are read together with the next, and words are at times split into smaller pieces than they need
be. Training only: needs torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random

import torch

from bert_ner.corpora import LABELS, Document, Sentence
from bert_ner.vocabulary import segment, words_of

IGNORED = -100
UPPER_SENTENCES = 0.03
LOWER_SENTENCES = 0.03
JOINED_SENTENCES = 0.1
DROPPED_PIECES = 0.05
MOST_PIECES = 256
_NUMBERS = {label: number for number, label in enumerate(LABELS)}


@dataclass(frozen=True)
class Example:
    """Piece numbers and label numbers of a text, with [CLS] and [SEP]; both of one length."""

    pieces: list[int]
    labels: list[int]
    complete: bool


@dataclass(frozen=True)
class Batch:
    """Examples side by side.

    Attributes:
        pieces: int64 [n, length].
        mask: int64 [n, length], 1 where there is a piece.
        labels: int64 [n, length], ``IGNORED`` at all but the first pieces of words.
        complete: bool [n], as ``Sentence.complete``.
    """

    pieces: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    complete: torch.Tensor


def vary(sentence: Sentence, random: Random) -> Sentence:
    """Write some sentences in capitals, and some without any."""
    draw = random.random()
    if draw < UPPER_SENTENCES:
        tokens = tuple(token.upper() for token in sentence.tokens)
    elif draw < UPPER_SENTENCES + LOWER_SENTENCES:
        tokens = tuple(token.lower() for token in sentence.tokens)
    else:
        return sentence
    return replace(sentence, tokens=tokens)


def encode(sentences: Sequence[Sentence], numbers: Mapping[str, int], random: Random) -> Example:
    """Write sentences as one text's pieces; a word's label sits on its first piece.

    The labels are IOB1, as in CoNLL-2003: ``I-`` everywhere but where an entity follows another of its
    type at once, which ``B-`` tells apart. Few mentions do, and one label for nearly all words of
    a type is easier to learn from few sentences than two.
    """
    pieces: list[int] = []
    labels: list[int] = []
    for sentence in sentences:
        before = "O"
        for token, label in zip(sentence.tokens, sentence.labels, strict=True):
            for place, word in enumerate(_words(token)):
                split = segment(word, numbers, random, DROPPED_PIECES)
                follows = place == 0 and label.startswith("B-") and label[2:] == before[2:]
                written = label if follows or label == "O" else f"I-{label[2:]}"
                pieces.extend(numbers[piece] for piece in split)
                labels.extend([_NUMBERS[written]] + [IGNORED] * (len(split) - 1))
            before = label
    return Example(
        [numbers["[CLS]"], *pieces[: MOST_PIECES - 2], numbers["[SEP]"]],
        [IGNORED, *labels[: MOST_PIECES - 2], IGNORED],
        all(sentence.complete for sentence in sentences),
    )


_words = cache(words_of)


def epoch_batches(
    documents: Iterable[Document], numbers: Mapping[str, int], size: int, random: Random
) -> list[Batch]:
    """All examples of one epoch in batches of about one length, in random order."""
    examples = [
        encode([vary(sentence, random) for sentence in group], numbers, random)
        for document in documents
        for group in _joined(document, random)
    ]
    random.shuffle(examples)
    examples.sort(key=lambda example: len(example.pieces))
    batches = [collate(examples[start : start + size]) for start in range(0, len(examples), size)]
    random.shuffle(batches)
    return batches


def _joined(document: Document, random: Random) -> Iterator[list[Sentence]]:
    group: list[Sentence] = []
    for sentence in document:
        if group and random.random() >= JOINED_SENTENCES:
            yield group
            group = []
        group.append(sentence)
    if group:
        yield group


def collate(examples: Sequence[Example]) -> Batch:
    """Fill examples up to the longest; piece 0 is [PAD]."""
    length = max(len(example.pieces) for example in examples)
    pieces = torch.zeros(len(examples), length, dtype=torch.int64)
    mask = torch.zeros_like(pieces)
    labels = torch.full_like(pieces, IGNORED)
    for row, example in enumerate(examples):
        count = len(example.pieces)
        pieces[row, :count] = torch.tensor(example.pieces)
        labels[row, :count] = torch.tensor(example.labels)
        mask[row, :count] = 1
    return Batch(pieces, mask, labels, torch.tensor([example.complete for example in examples]))
