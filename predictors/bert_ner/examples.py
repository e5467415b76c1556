"""Turn sentences into batches to train on, a little different in every epoch.

Few sentences are annotated, so each is varied: mentions give way to others of their type, some
sentences lose their capital letters or consist of them, some are read together with the next, and
words are at times split into smaller pieces than they need be. Training only: needs torch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

import torch

from bert_ner.corpora import LABELS, Document, Sentence
from bert_ner.vocabulary import segment, words_of

IGNORED = -100
REPLACED_MENTIONS = 0.3
UPPER_SENTENCES = 0.06
LOWER_SENTENCES = 0.08
JOINED_SENTENCES = 0.1
DROPPED_PIECES = 0.05
MOST_PIECES = 256
_NUMBERS = {label: number for number, label in enumerate(LABELS)}

Mentions = Mapping[str, Sequence[tuple[str, ...]]]


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


def collect_mentions(sentences: Iterable[Sentence]) -> Mentions:
    """All mentions by type, each as often as it occurs."""
    mentions: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for sentence in sentences:
        for kind, start, end in sentence.mentions():
            mentions[kind].append(sentence.tokens[start:end])
    return mentions


def vary(sentence: Sentence, mentions: Mentions, random: Random) -> Sentence:
    """Replace some mentions, and sometimes the casing of the sentence."""
    tokens, labels = list(sentence.tokens), list(sentence.labels)
    for kind, start, end in reversed(sentence.mentions()):
        if random.random() < REPLACED_MENTIONS:
            other = random.choice(mentions[kind])
            tokens[start:end] = other
            labels[start:end] = [f"B-{kind}"] + [f"I-{kind}"] * (len(other) - 1)
    draw = random.random()
    if draw < UPPER_SENTENCES:
        tokens = [token.upper() for token in tokens]
    elif draw < UPPER_SENTENCES + LOWER_SENTENCES:
        tokens = [token.lower() for token in tokens]
    return Sentence(tuple(tokens), tuple(labels), sentence.complete)


def encode(sentences: Sequence[Sentence], numbers: Mapping[str, int], random: Random) -> Example:
    """Write sentences as one text's pieces; a word's label sits on its first piece."""
    pieces: list[int] = []
    labels: list[int] = []
    for sentence in sentences:
        for token, label in zip(sentence.tokens, sentence.labels, strict=True):
            for place, word in enumerate(_words(token)):
                split = segment(word, numbers, random, DROPPED_PIECES)
                inner = label if place == 0 or label == "O" else f"I-{label[2:]}"
                pieces.extend(numbers[piece] for piece in split)
                labels.extend([_NUMBERS[inner]] + [IGNORED] * (len(split) - 1))
    return Example(
        [numbers["[CLS]"], *pieces[: MOST_PIECES - 2], numbers["[SEP]"]],
        [IGNORED, *labels[: MOST_PIECES - 2], IGNORED],
        all(sentence.complete for sentence in sentences),
    )


_words = cache(words_of)


def epoch_batches(
    documents: Iterable[Document], numbers: Mapping[str, int], mentions: Mentions, size: int, random: Random
) -> list[Batch]:
    """All examples of one epoch in batches of about one length, in random order."""
    examples = [
        encode([vary(sentence, mentions, random) for sentence in group], numbers, random)
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
