"""From labels on pieces to entities in the text.

Words are what the tokenizer's pre-tokenizer yields; a word has the label of its first piece, which
is how BERT taggers are trained. Neighbouring words of one type are one entity, read by whichever
scheme the labels follow: IOB1, IOB2 (BIO), BIOES, BILOU, or types without prefixes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

_PREFIXED = re.compile(r"([BIESLU])-(.+)", re.DOTALL)
_OPENING, _CLOSING = frozenset("BSU"), frozenset("ESLU")


class Entity(TypedDict):
    """A span of the text: ``text[start:end]``, in code points, with a score in [0, 1]."""

    type: str
    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Label:
    """What a label says of its word: the type, and whether an entity begins or ends with it.

    ``type`` is None outside of any entity.
    """

    type: str | None
    opens: bool = False
    closes: bool = False


class Scheme:
    """The meaning of a model's labels.

    ``O`` in either case is outside. Prefixes count where some label begins with ``B-`` or ``I-``;
    otherwise ``E-MAIL`` is a type like any other.

    Args:
        names: the labels, in the order of the model's outputs.
    """

    def __init__(self, names: Sequence[str]) -> None:
        has_prefixes = any(name.startswith(("B-", "I-")) for name in names)
        self.labels = tuple(_parse(name, has_prefixes=has_prefixes) for name in names)
        self.types = tuple(dict.fromkeys(label.type for label in self.labels))
        of_type = [self.types.index(label.type) for label in self.labels]
        self._type_of_label = np.eye(len(self.types))[of_type]

    def type_probabilities(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sum the probabilities of the labels of one type, such as B-PER and I-PER.

        Args:
            probabilities: [words, labels].

        Returns:
            [words, labels]; in each column the probability of that label's type.
        """
        summed: npt.NDArray[np.float64] = probabilities @ self._type_of_label @ self._type_of_label.T
        return summed


def _parse(name: str, *, has_prefixes: bool) -> Label:
    if name.upper() == "O":
        return Label(None)
    found = _PREFIXED.fullmatch(name) if has_prefixes else None
    if found is None:
        return Label(name)
    prefix, kind = found.groups()
    return Label(kind, opens=prefix in _OPENING, closes=prefix in _CLOSING)


@dataclass(slots=True)
class _Span:
    """Words ``first`` to ``last`` of one type, and the sum of their probabilities."""

    type: str
    first: int
    last: int
    probability: float


def find_entities(
    text: str,
    word_ids: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
    logits: npt.NDArray[np.floating],
    scheme: Scheme,
) -> list[Entity]:
    """Read the entities of one text.

    An entity's score is the mean, over its words, of the probability of its type: the softmax over
    labels, summed over the labels of that type, so that doubt between B-PER and I-PER is no doubt
    about PER. It is rounded to six places.

    Args:
        text: what the offsets count in, in code points.
        word_ids: int64 [pieces], ascending.
        offsets: int64 [pieces, 2], start and end of each piece in the text.
        logits: [pieces, labels], at least one piece.
        scheme: what the labels mean.

    Returns:
        Entities in order of ``start``; they do not overlap.
    """
    firsts = np.flatnonzero(np.diff(word_ids, prepend=-1))
    lasts = np.append(firsts[1:], len(word_ids)) - 1
    probabilities = _softmax(logits[firsts])
    chosen = probabilities.argmax(1)
    scores = scheme.type_probabilities(probabilities)[np.arange(len(firsts)), chosen]

    spans: list[_Span] = []
    is_open = False
    for word, (label, score) in enumerate(zip(chosen.tolist(), scores.tolist(), strict=True)):
        meaning = scheme.labels[label]
        if meaning.type is None:
            is_open = False
            continue
        if is_open and not meaning.opens and spans[-1].type == meaning.type:
            spans[-1].last = word
            spans[-1].probability += score
        else:
            spans.append(_Span(meaning.type, word, word, score))
        is_open = not meaning.closes

    starts = [*offsets[firsts, 0].tolist(), len(text)]
    ends = offsets[lasts, 1].tolist()
    entities: list[Entity] = []
    for span in spans:
        start = starts[span.first]
        end = _with_marks(text, ends[span.last], starts[span.last + 1])
        score = round(min(1.0, span.probability / (span.last - span.first + 1)), 6)
        entities.append(
            {"type": span.type, "text": text[start:end], "start": start, "end": end, "score": score}
        )
    return entities


def _softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    wide = logits.astype(np.float64)
    exponents = np.exp(wide - wide.max(1, keepdims=True))
    probabilities: npt.NDArray[np.float64] = exponents / exponents.sum(1, keepdims=True)
    return probabilities


def _with_marks(text: str, end: int, limit: int) -> int:
    """Move an end behind combining marks, which an uncased tokenizer drops from a last letter."""
    while end < limit and unicodedata.category(text[end]).startswith("M"):
        end += 1
    return end
