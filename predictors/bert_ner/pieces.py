"""Choose the pieces of the sample model's vocabulary, as many as its file has room for.

The encoder offers 30,522 lowercase pieces, which with their casings are three times as many. A piece
is kept by how often it is expected to be used: its count in the corpora, plus a prior for text that
the corpora are too small to show. The prior takes a word's frequency from its rank in the encoder's
vocabulary, and how often it is capitalised from its embedding.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bert_ner.vocabulary import CONTINUED, SPECIAL, UNKNOWN, Casing, Piece, casing_of, segment

PRIOR_WORDS = 600_000
NAME_WEIGHT = 2.0
PRUNED_TO = 0.7
_FIRST_RANKED = "the"
_ZIPF_SHARE = 0.1
_RIDGE = 10.0
_TRUSTED_COUNT = 20
_LAST_PUNCTUATION = 0x2300


def choose_pieces(
    counts: Mapping[str, int], encoder: Sequence[str], embeddings: npt.NDArray[np.float32], size: int
) -> list[Piece]:
    """Choose the pieces that are most used when the expected words are split.

    All casings of the encoder's pieces are tried first. The least used are dropped, the words split
    again without them, and so on down to ``size``.

    Args:
        counts: how often each cased word counts in the corpora.
        encoder: the encoder's lowercase pieces in the order of their rows, frequent words first.
        embeddings: the encoder's table [pieces, d].
        size: how many pieces to choose; single letters and the special pieces are always among them.

    Returns:
        The special pieces, then the others in alphabetical order.

    Raises:
        ValueError: ``size`` has no room for the single letters.
    """
    rows = {text: row for row, text in enumerate(encoder)}
    letters = {form for text in encoder if _is_letter(text) for form in cased_forms(text)}
    room = size - len(SPECIAL)
    if room < len(letters):
        raise ValueError(f"{size} pieces are too few; at least {len(letters) + len(SPECIAL)} are accepted")
    expected = _expected_words(counts, encoder, embeddings)
    known = {form for text in encoder if _is_written(text) for form in cased_forms(text)} | letters
    while len(known) > room:
        used = _split(expected, known)
        ranked = sorted(known - letters, key=lambda text: (-used[text], text))
        known = letters | set(ranked[: max(room, int(PRUNED_TO * len(known))) - len(letters)])
    special = [Piece(text, rows[text], Casing.LOWER) for text in SPECIAL]
    return special + [_piece(text, rows) for text in sorted(known)]


def cased_forms(text: str) -> list[str]:
    """A lowercase piece as it is, in capitals and, where a word can begin with it, capitalised."""
    prefix = CONTINUED if text.startswith(CONTINUED) else ""
    letters = text.removeprefix(prefix)
    forms = dict.fromkeys([letters, letters.upper(), *([] if prefix else [letters.capitalize()])])
    # A few letters have no capital of their own, as German ß, and would not lead back to the piece.
    return [prefix + form for form in forms if form.lower() == letters and len(form) == len(letters)]


def _is_written(text: str) -> bool:
    """Whether a piece is in ASCII, neither a placeholder nor punctuation within a word."""
    letters = text.removeprefix(CONTINUED)
    return letters.isascii() and letters.isalnum()


def _is_letter(text: str) -> bool:
    """Whether a piece is one character that text in Latin letters may have."""
    letter = text.removeprefix(CONTINUED)
    if len(letter) != 1:
        return False
    if letter.isalnum():
        return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN")
    return letter == text and ord(letter) < _LAST_PUNCTUATION


def _piece(text: str, rows: Mapping[str, int]) -> Piece:
    casing = casing_of(text.removeprefix(CONTINUED))
    return Piece(text, rows[text.lower()], Casing.LOWER if casing is None else casing)


def _split(words: Mapping[str, float], known: Collection[str]) -> Counter[str]:
    used: Counter[str] = Counter()
    for word, count in words.items():
        for piece in segment(word, known):
            if piece != UNKNOWN:
                used[piece] += count  # type: ignore[assignment]
    return used


def _expected_words(
    counts: Mapping[str, int], encoder: Sequence[str], embeddings: npt.NDArray[np.float32]
) -> dict[str, float]:
    """Counts of the corpora plus those expected in ``PRIOR_WORDS`` words of any text.

    The encoder's words stand in the order of their frequency, so by Zipf's law the one of rank r
    makes up 0.1 / r of a text. Capitalised words weigh more: they are what a tagger must know.
    """
    expected: dict[str, float] = {word: float(count) for word, count in counts.items()}
    shares = _casing_shares(counts, encoder, embeddings)
    shares[:, Casing.CAPITALISED] *= NAME_WEIGHT
    words = [
        row
        for row in range(encoder.index(_FIRST_RANKED), len(encoder))
        if encoder[row].isascii() and encoder[row].isalnum()
    ]
    for rank, row in enumerate(words, 1):
        count = _ZIPF_SHARE * PRIOR_WORDS / rank
        for form in cased_forms(encoder[row]):
            casing = casing_of(form)
            if casing is not None:
                expected[form] = expected.get(form, 0.0) + count * float(shares[row, casing])
    return expected


def _casing_shares(
    counts: Mapping[str, int], encoder: Sequence[str], embeddings: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Predict how often each piece is written in each casing, [pieces, casings].

    Ridge regression from the embeddings of the words that the corpora have to their counted shares.
    """
    rows = {text: row for row, text in enumerate(encoder)}
    seen = np.zeros((len(encoder), len(Casing)), np.float32)
    for word, count in counts.items():
        casing, row = casing_of(word), rows.get(word.lower())
        if casing is not None and row is not None and word.isalpha() and len(word) > 1:
            seen[row, casing] += count
    totals = seen.sum(1)
    known = totals > 1
    scaled = (embeddings - embeddings.mean(0)) / embeddings.std()
    features = np.concatenate([scaled, np.ones((len(encoder), 1), np.float32)], 1)
    weights = np.sqrt(np.minimum(totals[known], _TRUSTED_COUNT))[:, None]
    left = features[known] * weights
    right = seen[known] / totals[known, None] * weights
    solution = np.linalg.solve(left.T @ left + _RIDGE * np.eye(left.shape[1]), left.T @ right)
    # Squared, because a regression on shares draws the sure cases towards the mean.
    shares = np.clip(features @ solution, 0.0, 1.0) ** 2
    normalised: npt.NDArray[np.float32] = shares / np.maximum(shares.sum(1, keepdims=True), 1e-6)
    return normalised.astype(np.float32)
