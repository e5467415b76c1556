from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from bert_ner.entities import Entity, Scheme, find_entities

BIO = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
SURE = 20.0


def tag(text: str, labels: list[str], names: tuple[str, ...]) -> list[Entity]:
    """Entities of a text whose words, parted by spaces, are one piece each."""
    offsets, position = [], 0
    for word in text.split(" "):
        offsets.append((position, position + len(word)))
        position += len(word) + 1
    logits = np.zeros((len(offsets), len(names)))
    logits[np.arange(len(offsets)), [names.index(label) for label in labels]] = SURE
    return find_entities(text, np.arange(len(offsets)), np.array(offsets), logits, Scheme(names))


def found(text: str, labels: str, names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(entity["type"], entity["text"]) for entity in tag(text, labels.split(), names)]


BIOES = ("O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC")))
BILOU = ("O", *(f"{prefix}-{kind}" for prefix in "BILU" for kind in ("PER", "LOC")))


@pytest.mark.parametrize(
    ("names", "labels", "expected"),
    [
        pytest.param(BIO, "B-PER I-PER O B-LOC", ["PER:a b", "LOC:d"], id="BIO"),
        pytest.param(BIO, "B-PER B-PER O O", ["PER:a", "PER:b"], id="B begins anew"),
        pytest.param(BIO, "I-PER I-PER I-LOC O", ["PER:a b", "LOC:c"], id="IOB1: I opens"),
        pytest.param(BIO, "I-PER B-PER I-PER O", ["PER:a", "PER:b c"], id="IOB1: B parts neighbours"),
        pytest.param(BIO, "I-PER O I-PER O", ["PER:a", "PER:c"], id="O parts"),
        pytest.param(BIO, "O O O O", [], id="nothing"),
        pytest.param(BIOES, "B-PER I-PER E-PER S-LOC", ["PER:a b c", "LOC:d"], id="BIOES"),
        pytest.param(
            BIOES, "S-PER S-PER E-PER I-PER", ["PER:a", "PER:b", "PER:c", "PER:d"], id="S and E end"
        ),
        pytest.param(BILOU, "B-PER L-PER U-PER I-PER", ["PER:a b", "PER:c", "PER:d"], id="BILOU"),
        pytest.param(("o", "PER", "E-MAIL"), "PER PER o E-MAIL", ["PER:a b", "E-MAIL:d"], id="no prefixes"),
        pytest.param(
            ("LABEL_0", "LABEL_1"),
            "LABEL_0 LABEL_1 LABEL_1 LABEL_0",
            ["LABEL_0:a", "LABEL_1:b c", "LABEL_0:d"],
            id="no names",
        ),
        pytest.param((*BIO, "X"), "B-PER I-PER X O", ["PER:a b", "X:c"], id="a type beside prefixes"),
    ],
)
def test_schemes(names: tuple[str, ...], labels: str, expected: list[str]) -> None:
    assert [f"{kind}:{text}" for kind, text in found("a b c d", labels, names)] == expected


def test_a_word_has_the_label_of_its_first_piece_and_all_of_its_letters() -> None:
    logits = np.zeros((3, len(BIO)))
    logits[[0, 1, 2], [1, 3, 0]] = SURE  # the second piece says LOC, and is not asked
    entities = find_entities(
        "Berlin x", np.array([0, 0, 1]), np.array([(0, 3), (3, 6), (7, 8)]), logits, Scheme(BIO)
    )
    assert [(e["type"], e["text"], e["start"], e["end"]) for e in entities] == [("PER", "Berlin", 0, 6)]


def test_the_score_is_the_mean_probability_of_the_type() -> None:
    # Softmax of log p is p. B-PER and I-PER share the first word; the second is 0.7 sure.
    logits = np.log([[0.1, 0.5, 0.3, 0.05, 0.05], [0.1, 0.1, 0.6, 0.1, 0.1]])
    entities = find_entities("a b", np.array([0, 1]), np.array([(0, 1), (2, 3)]), logits, Scheme(BIO))
    assert entities == [{"type": "PER", "text": "a b", "start": 0, "end": 3, "score": 0.75}]


def test_huge_logits_do_not_overflow() -> None:
    logits = np.array([[0.0, 3e38, 0.0, 0.0, 0.0]], np.float32)
    entities = find_entities("a", np.array([0]), np.array([(0, 1)]), logits, Scheme(BIO))
    assert [entity["score"] for entity in entities] == [1.0]


LETTERS = "abcxyz\u00e9\u65e5\U0001f600.,-["
VOCABULARY = {token: i for i, token in enumerate(["[UNK]", *LETTERS, *(f"##{x}" for x in LETTERS)])}


def build_tokenizer(*, lowercase: bool) -> Tokenizer:
    tokenizer = Tokenizer(WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


TOKENIZERS = {lowercase: build_tokenizer(lowercase=lowercase) for lowercase in (False, True)}
TEXTS = st.text() | st.text(
    "ab\u00e9e\u0301\u0308\u200d\ufe0f\u65e5\U0001f600\U00020000\r\n \u00a0\x00.,-\u200b\u0130\ufb01\uac00"
)


def entities_of(text: str, *, lowercase: bool, choose: npt.NDArray[np.int64]) -> list[Entity]:
    encoding = TOKENIZERS[lowercase].encode(text, add_special_tokens=False)
    count = len(encoding.ids)
    if not count:
        return []
    logits = np.zeros((count, len(BIO)))
    logits[np.arange(count), np.resize(choose, count)] = SURE
    return find_entities(
        text, np.array(encoding.word_ids), np.array(encoding.offsets).reshape(-1, 2), logits, Scheme(BIO)
    )


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.booleans(), st.lists(st.integers(0, len(BIO) - 1), min_size=1, max_size=8))
def test_offsets_count_code_points_of_the_text(text: str, lowercase: bool, choose: list[int]) -> None:
    end = 0
    for entity in entities_of(text, lowercase=lowercase, choose=np.array(choose)):
        assert entity["text"] == text[entity["start"] : entity["end"]]
        assert end <= entity["start"] < entity["end"] <= len(text)
        assert 0 <= entity["score"] <= 1
        end = entity["end"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a caf\u0065\u0301 b", "caf\u0065\u0301"),  # NFD: the accent belongs to the letter before it
        ("a \U0001f600 b", "\U0001f600"),
        ("a x\u200by b", "x\u200by"),
        ("a\r\n\u65e5\r\nb", "\u65e5"),
        ("\ufeffa \u00e9\u00e9\u00a0b", "\u00e9\u00e9"),
    ],
)
@pytest.mark.parametrize("lowercase", [False, True])
def test_an_entity_is_the_whole_word_of_the_text(text: str, expected: str, lowercase: bool) -> None:
    encoding = TOKENIZERS[lowercase].encode(text, add_special_tokens=False)
    logits = np.zeros((len(encoding.ids), len(BIO)))
    logits[:, 0] = SURE
    logits[[index for index, word in enumerate(encoding.word_ids) if word == 1], 1] = 2 * SURE
    entities = find_entities(
        text, np.array(encoding.word_ids), np.array(encoding.offsets), logits, Scheme(BIO)
    )
    assert [entity["text"] for entity in entities] == [expected]
