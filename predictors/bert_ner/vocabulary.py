"""The sample model's words and pieces: cased WordPiece whose pieces come from a lowercase encoder.

Capital letters say much about names, and the pre-trained encoder was trained without them. The
vocabulary holds pieces such as ``Berlin``, ``berlin`` and ``NATO``, and each names the lowercase piece
whose embedding it starts from. Accents are stripped, as they were when the encoder was trained, so that
``é`` needs no piece of its own and no word in Latin letters is unknown.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from enum import IntEnum
from random import Random

from tokenizers import Tokenizer
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
UNKNOWN = "[UNK]"
CONTINUED = "##"
NORMALISER = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=False)
PRE_TOKENISER = BertPreTokenizer()
LONGEST_WORD = 100


class Casing(IntEnum):
    """How a piece is written; the place in the table of learned casing vectors."""

    LOWER = 0
    CAPITALISED = 1
    UPPER = 2


@dataclass(frozen=True)
class Piece:
    """A piece of the cased vocabulary and the row of the encoder's table that it starts from."""

    text: str
    source: int
    casing: Casing


def casing_of(text: str) -> Casing | None:
    """The casing of a piece without its ``##``; None where it mixes them, as in ``iPhone``."""
    if text == text.lower():
        return Casing.LOWER
    if len(text) > 1 and text == text.upper():
        return Casing.UPPER
    if text[1:] == text[1:].lower():
        return Casing.CAPITALISED
    return None


def words_of(token: str) -> list[str]:
    """The words that a token is read as: without accents, split at white space and punctuation."""
    text = NORMALISER.normalize_str(token)
    return [word for word, _ in PRE_TOKENISER.pre_tokenize_str(text)]


def segment(word: str, known: Container[str], random: Random | None = None, drop: float = 0.0) -> list[str]:
    """Split a word as WordPiece does: always the longest piece that fits.

    Args:
        word: A word of ``words_of``.
        known: A set or mapping of the vocabulary's pieces.
        random: Where ``drop`` is not zero, decides which pieces to pass over.
        drop: Probability of passing over a fitting piece of more than one letter, so that training
            sees a word in more than one split.

    Returns:
        The pieces, or one ``[UNK]`` where none fits.
    """
    if len(word) > LONGEST_WORD:
        return [UNKNOWN]
    pieces: list[str] = []
    start = 0
    while start < len(word):
        prefix = CONTINUED if start else ""
        for end in range(len(word), start, -1):
            piece = prefix + word[start:end]
            if piece in known:
                if random and end - start > 1 and random.random() < drop:
                    continue
                pieces.append(piece)
                start = end
                break
        else:
            return [UNKNOWN]
    return pieces


def build_tokenizer(pieces: Sequence[Piece]) -> Tokenizer:
    """Make a cased BERT tokenizer of the pieces, which take their numbers in the order given."""
    numbers = {piece.text: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(WordPiece(numbers, unk_token=UNKNOWN, max_input_chars_per_word=LONGEST_WORD))
    tokenizer.normalizer = NORMALISER
    tokenizer.pre_tokenizer = PRE_TOKENISER
    tokenizer.decoder = WordPieceDecoder()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(text, numbers[text]) for text in ("[CLS]", "[SEP]")],
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer
