from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import BertTokenizerFast

from bert_ner.tokenizer import check_vocabulary, load_tokenizer, special_ids
from modelserve.errors import ModelLoadError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = string.ascii_letters + string.digits + "éÉüßı日本語Ωя" + string.punctuation
VOCABULARY = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), "angela", "Angela", "ber", "##lin"]
ODD_TEXTS = [
    "",
    " \t\r\n",
    "Angela visits Berlin.",
    "[CLS] a [SEP] b[MASK]c [UNK][PAD]",
    "Jose\u0301 e\u0301\u0301!",
    "x\u200by\ufeffz\x00\u00ad",
    "日本語の本",
    "\U0001f600a\U0001f600 \U00020000",
    "a" * 120,
    "a\r\nb\u2028c\u00a0d",
    "\u0130STANBUL \u0131i \u01c5 \ufb01",
]


def write_folder(folder: Path, config: dict[str, Any] | None, vocabulary: list[str] = VOCABULARY) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    return folder


def pieces(tokenizer: Tokenizer, text: str) -> tuple[list[int], list[tuple[int, int]], list[int | None]]:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    return encoding.ids, encoding.offsets, encoding.word_ids


def reference_pieces(tokenizer: Any, text: str) -> tuple[list[int], list[tuple[int, int]], list[int | None]]:
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return encoding["input_ids"], encoding["offset_mapping"], encoding.word_ids()


CONFIGS: list[dict[str, Any] | None] = [
    None,
    {"do_lower_case": False},
    {"do_lower_case": True, "strip_accents": False},
    {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False},
]


@pytest.fixture(scope="module", params=CONFIGS, ids=str)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, Any]:
    folder = write_folder(tmp_path_factory.mktemp("tokenizer"), request.param)
    return load_tokenizer(folder), BertTokenizerFast.from_pretrained(folder)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_pieces_are_those_of_transformers(pair: tuple[Tokenizer, Any], text: str) -> None:
    tokenizer, reference = pair
    assert pieces(tokenizer, text) == reference_pieces(reference, text)
    assert tokenizer.encode(text).ids == reference(text)["input_ids"]


@settings(max_examples=150, deadline=None)
@given(text=st.text())
def test_pieces_of_any_text_are_those_of_transformers(pair: tuple[Tokenizer, Any], text: str) -> None:
    tokenizer, reference = pair
    assert pieces(tokenizer, text) == reference_pieces(reference, text)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_tokenizer_json_gives_the_same_pieces_and_heeds_the_config(
    tmp_path: Path, config: dict[str, Any] | None
) -> None:
    # tokenizer.json as an uncased model's; the configuration beside it decides where it differs.
    built = load_tokenizer(write_folder(tmp_path / "uncased", None))
    built.enable_truncation(3)
    built.enable_padding(length=9)
    folder = write_folder(tmp_path / "full", config)
    built.save(str(folder / "tokenizer.json"))
    reference = BertTokenizerFast.from_pretrained(folder)
    (folder / "vocab.txt").unlink()
    tokenizer = load_tokenizer(folder)
    assert tokenizer.truncation is None
    assert tokenizer.padding is None
    for text in ODD_TEXTS:
        assert pieces(tokenizer, text) == reference_pieces(reference, text)


def test_special_ids_come_from_the_tokenizer(tmp_path: Path) -> None:
    vocabulary = [*LETTERS, "<s>", "[PAD]", "</s>", "<unk>"]
    config = {"cls_token": "<s>", "sep_token": {"content": "</s>"}, "unk_token": "<unk>"}
    tokenizer = load_tokenizer(write_folder(tmp_path, config, vocabulary))
    found = special_ids(tokenizer)
    assert (found.start, found.end, found.pad) == tuple(map(vocabulary.index, ("<s>", "</s>", "[PAD]")))
    assert tokenizer.encode("☃", add_special_tokens=False).ids == [vocabulary.index("<unk>")]


def test_a_vocabulary_without_padding_is_served(tmp_path: Path) -> None:
    vocabulary = ["[UNK]", "[CLS]", "[SEP]", "a"]
    assert special_ids(load_tokenizer(write_folder(tmp_path, None, vocabulary))).pad in range(4)


def test_a_tokenizer_without_special_pieces_is_refused(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_folder(tmp_path, None))
    content = json.loads(tokenizer.to_str())
    content["post_processor"] = None
    with pytest.raises(ModelLoadError, match=r"\[CLS\] and \[SEP\]"):
        special_ids(Tokenizer.from_str(json.dumps(content)))


def test_a_vocabulary_larger_than_the_model_is_refused(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_folder(tmp_path, None))
    check_vocabulary(tokenizer, len(VOCABULARY))
    with pytest.raises(ModelLoadError, match=f"largest id is {len(VOCABULARY) - 1}"):
        check_vocabulary(tokenizer, len(VOCABULARY) - 1)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "tokenizer.json or vocab.txt is needed"),
        ({"tokenizer.json": "{}"}, "tokenizer.json cannot be used"),
        ({"vocab.txt": "a\nb\n"}, "lacks the special tokens"),
        ({"vocab.txt": "a\n", "tokenizer_config.json": "{"}, "is no JSON"),
        ({"vocab.txt": "a\n", "tokenizer_config.json": "[]"}, "must hold a JSON object"),
        ({"vocab.txt": "a\n", "tokenizer_config.json": '{"do_lower_case": "no"}'}, "do_lower_case"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(ModelLoadError, match=message):
        load_tokenizer(tmp_path)
