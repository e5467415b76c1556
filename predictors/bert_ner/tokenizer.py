"""A model folder's tokenizer, with the ``tokenizers`` library alone.

transformers would add seconds to a cold start and is not in the CPU flavour; the pieces are the
same as those of its ``BertTokenizer``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from modelserve.errors import ModelLoadError

_NORMALISATION = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}
"""Keys of ``tokenizer_config.json`` and the attributes of ``BertNormalizer`` that they set."""

_SPECIAL_TOKENS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
"""Special tokens by their keys, with ``BertTokenizer``'s defaults."""


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids of the pieces that open and close a sequence, and of the one that fills it up."""

    start: int
    end: int
    pad: int


def load_tokenizer(model_dir: Path) -> Tokenizer:
    """Read ``tokenizer.json``, or build the tokenizer from ``vocab.txt``.

    ``tokenizer_config.json`` decides on letter case, accents and Chinese characters where it says
    anything of them, as it does in transformers. Truncation and padding are switched off: the
    windows are this package's.

    Raises:
        ModelLoadError: neither file is there, or a file cannot be used.
    """
    config = _read_config(model_dir)
    full, vocabulary = model_dir / "tokenizer.json", model_dir / "vocab.txt"
    if full.exists():
        try:
            tokenizer = Tokenizer.from_file(str(full))
        except Exception as error:  # the library raises a bare Exception
            raise ModelLoadError(f"{full} cannot be used: {error}") from error
        _apply_normalisation(tokenizer, config)
    elif vocabulary.exists():
        tokenizer = _build_from_vocabulary(vocabulary, config)
    else:
        raise ModelLoadError(f"{model_dir} has no tokenizer; tokenizer.json or vocab.txt is needed")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def special_ids(tokenizer: Tokenizer) -> SpecialIds:
    """Ids of the special pieces, as the tokenizer itself puts them around a text.

    Raises:
        ModelLoadError: it does not put one piece before and one after a text, as BERT needs.
    """
    around = tokenizer.encode("").ids
    if len(around) != 2:
        raise ModelLoadError(
            f"the tokenizer puts {len(around)} special pieces around a text; BERT needs [CLS] and [SEP]"
        )
    start, end = around
    pad = tokenizer.token_to_id(_SPECIAL_TOKENS["pad_token"])
    # The attention mask hides the filling, so that any id that the model has will do.
    return SpecialIds(start=start, end=end, pad=end if pad is None else pad)


def check_vocabulary(tokenizer: Tokenizer, vocab_size: int) -> None:
    """Refuse a tokenizer that makes ids which the model has no embedding for.

    Raises:
        ModelLoadError: its largest id is not below ``vocab_size``.
    """
    largest = max(tokenizer.get_vocab(with_added_tokens=True).values())
    if largest >= vocab_size:
        raise ModelLoadError(
            f"the tokenizer's largest id is {largest}, but the model has {vocab_size} embeddings; "
            "tokenizer and model are not of one kind"
        )


def _read_config(model_dir: Path) -> dict[str, Any]:
    path = model_dir / "tokenizer_config.json"
    if not path.exists():
        return {}
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ModelLoadError(f"{path} is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelLoadError(f"{path} must hold a JSON object")
    for key in _NORMALISATION:
        if not isinstance(config.get(key), (bool, type(None))):
            raise ModelLoadError(f"{path}: {key} must be true, false or null")
    return config


def _apply_normalisation(tokenizer: Tokenizer, config: dict[str, Any]) -> None:
    normaliser = tokenizer.normalizer
    if isinstance(normaliser, BertNormalizer):
        for key, attribute in _NORMALISATION.items():
            if key in config:
                setattr(normaliser, attribute, config[key])


def _build_from_vocabulary(path: Path, config: dict[str, Any]) -> Tokenizer:
    with path.open(encoding="utf-8") as file:
        ids = {line.rstrip("\n"): number for number, line in enumerate(file)}
    special = {key: _token(config.get(key), default) for key, default in _SPECIAL_TOKENS.items()}
    unk, cls, sep = special["unk_token"], special["cls_token"], special["sep_token"]
    missing = [token for token in (unk, cls, sep) if token not in ids]
    if missing:
        raise ModelLoadError(f"{path} lacks the special tokens {', '.join(missing)}")
    tokenizer = Tokenizer(WordPiece(ids, unk_token=unk))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    _apply_normalisation(tokenizer, config)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single=[cls, "$A", sep], special_tokens=[(cls, ids[cls]), (sep, ids[sep])]
    )
    tokenizer.add_special_tokens([token for token in special.values() if token in ids])
    return tokenizer


def _token(value: object, default: str) -> str:
    """A special token as ``tokenizer_config.json`` writes it: a string, or an object around one."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else default
