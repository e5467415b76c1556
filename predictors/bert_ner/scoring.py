"""Score a network on documents as they would be served: raw text in, character spans out.

An entity counts as found if type, start and end are all right, in the sentence's tokens joined by
single spaces. Labels become spans by the predictor's own rule, ``bert_ner.entities``. Training only:
needs torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer

from bert_ner.corpora import LABELS, TYPES, Document, Sentence
from bert_ner.entities import Scheme, find_entities
from bert_ner.network import TokenClassifier

_BATCH = 32
_SCHEME = Scheme(LABELS)

Span = tuple[str, int, int]
"""Type, first character, and the character after the last."""


@dataclass(frozen=True)
class Score:
    """Entities of one type, or of all: how many there are, were found, and were found rightly."""

    gold: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        """Share of the found ones that are right, 0 if there are none."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold ones that were found, 0 if there are none."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 if nothing is right."""
        both = self.gold + self.found
        return 2 * self.right / both if both else 0.0

    def __add__(self, other: Score) -> Score:
        """Count both together."""
        return Score(self.gold + other.gold, self.found + other.found, self.right + other.right)


def score_documents(
    network: TokenClassifier, tokenizer: Tokenizer, documents: Iterable[Document]
) -> dict[str, Score]:
    """Score by type, over all sentences of the documents."""
    sentences = [sentence for document in documents for sentence in document]
    texts = [" ".join(sentence.tokens) for sentence in sentences]
    found = find_spans(network, tokenizer, texts)
    return score_spans([gold_spans(sentence) for sentence in sentences], found)


def score_spans(gold: Sequence[set[Span]], found: Sequence[set[Span]]) -> dict[str, Score]:
    """Compare the spans of each text and count them by type."""
    counts: Counter[tuple[str, str]] = Counter()
    for expected, actual in zip(gold, found, strict=True):
        for name, spans in (("gold", expected), ("found", actual), ("right", expected & actual)):
            counts.update((kind, name) for kind, _, _ in spans)
    return {kind: Score(counts[kind, "gold"], counts[kind, "found"], counts[kind, "right"]) for kind in TYPES}


def report(scores: dict[str, Score]) -> str:
    """A Markdown table of the scores by type and of all together."""
    rows = [*scores.items(), ("all", sum(scores.values(), Score(0, 0, 0)))]
    lines = ["| type | entities | precision | recall | F1 |", "|---|---|---|---|---|"]
    lines += [f"| {kind} | {s.gold} | {s.precision:.3f} | {s.recall:.3f} | {s.f1:.3f} |" for kind, s in rows]
    return "\n".join(lines)


def gold_spans(sentence: Sentence) -> set[Span]:
    """A sentence's mentions as characters of its tokens joined by single spaces."""
    starts = [0]
    for token in sentence.tokens:
        starts.append(starts[-1] + len(token) + 1)
    return {(kind, starts[first], starts[after] - 1) for kind, first, after in sentence.mentions()}


@torch.no_grad()
def find_spans(network: TokenClassifier, tokenizer: Tokenizer, texts: Sequence[str]) -> list[set[Span]]:
    """Find the entities of texts that fit into the network's window."""
    network.eval()
    spans: list[set[Span]] = []
    for batch in _batches(texts):
        encodings = [tokenizer.encode(text) for text in batch]
        length = max(len(encoding.ids) for encoding in encodings)
        pieces = torch.zeros(len(batch), length, dtype=torch.int64)
        mask = torch.zeros_like(pieces)
        for row, encoding in enumerate(encodings):
            pieces[row, : len(encoding.ids)] = torch.tensor(encoding.ids)
            mask[row, : len(encoding.ids)] = 1
        logits = network(pieces, mask).numpy()
        for text, encoding, scores in zip(batch, encodings, logits, strict=True):
            inner = slice(1, len(encoding.ids) - 1)
            words = np.array(encoding.word_ids[inner], np.int64)
            offsets = np.array(encoding.offsets[inner], np.int64).reshape(-1, 2)
            entities = find_entities(text, words, offsets, scores[inner], _SCHEME) if len(words) else []
            spans.append({(entity["type"], entity["start"], entity["end"]) for entity in entities})
    return spans


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), _BATCH):
        yield texts[start : start + _BATCH]
