"""The training script from corpora to a model folder, with a made-up encoder of two layers."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer, BertConfig, BertModel

from bert_ner import pretrained
from bert_ner.corpora import LABELS, Sentence
from bert_ner.examples import IGNORED, collate, encode, vary
from bert_ner.network import TokenClassifier
from bert_ner.packing import pack
from bert_ner.pretrained import build_network, plain_state, read_encoder
from bert_ner.scoring import Score, gold_spans, score_documents, score_spans
from bert_ner.train import main, schedule, tagging_loss
from bert_ner.vocabulary import SPECIAL, Casing, Piece, build_tokenizer
from modelserve.engines.weights import read_weights

LETTERS = [
    *"abcdefghijklmnopqrstuvwxyz0123456789.,",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
]
ENCODER = [*SPECIAL, *LETTERS, "the", "berlin", "anna", "met"]
SENTENCE = Sentence(("Anna", "met", "Bob", "."), ("B-PER", "O", "B-PER", "O"))


@pytest.fixture
def encoder_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(ENCODER),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=12,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    folder = tmp_path / "encoder"
    folder.mkdir()
    save_file(BertModel(config).state_dict(), folder / "model.safetensors")
    (folder / "vocab.txt").write_text("".join(f"{text}\n" for text in ENCODER), "utf-8")
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in pretrained.DIGESTS}
    monkeypatch.setattr(pretrained, "DIGESTS", digests)
    return folder


@pytest.fixture
def corpora_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "corpora"
    blocks = [
        f"-DOCSTART- O\n\nAnna I-PER\nmet O\nBob{number} I-PER\nin O\nBerlin I-LOC\n. O\n\n"
        for number in range(7)
    ]
    for name, text in {
        "wikigold.conll": "".join(blocks),
        "btc.conll": "Anna\tB-PER\n\nthe\tO\n",
        "wnut17/train/wnut17train.conll": "Berlin\tB-location\n",
        "wnut17/dev/emerging.dev.conll": "Bob\tB-person\n",
        "wnut17/test/emerging.test.annotated": "Acme\tB-corporation\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


Train = Callable[..., Path]


@pytest.fixture
def train(tmp_path: Path, encoder_folder: Path, corpora_folder: Path) -> Train:
    def run(name: str, checkpoint: str, wikigold_epochs: int = 1) -> Path:
        output = tmp_path / name
        main(
            [
                *("--data", str(corpora_folder), "--encoder", str(encoder_folder), "--output", str(output)),
                *("--checkpoint", str(tmp_path / checkpoint), "--pieces", "125"),
                *("--mixed_epochs", "1", "--wikigold_epochs", str(wikigold_epochs), "--runs", "2"),
            ]
        )
        return output

    return run


def test_the_folder_is_whole(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    output = train("model", "checkpoint.pt")
    assert {path.name for path in output.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    stored = load_file(output / "model.safetensors")
    assert {str(tensor.dtype) for tensor in stored.values()} == {
        "torch.int8",
        "torch.float16",
        "torch.float32",
    }
    config = AutoConfig.from_pretrained(output)
    assert tuple(config.id2label.values()) == LABELS
    assert config.num_hidden_layers == 2
    tokenizer = AutoTokenizer.from_pretrained(output)
    assert tokenizer.convert_ids_to_tokens(tokenizer("Berlín berlin")["input_ids"])[1] == "Berlin"
    assert json.loads((output / "tokenizer_config.json").read_text())["do_lower_case"] is False
    assert "| all | 3 |" in capsys.readouterr().out


def test_a_run_that_was_cut_off_ends_in_the_same_weights(train: Train, tmp_path: Path) -> None:
    whole = train("whole", "whole.pt", 2)
    states: list[object] = []
    save = torch.save
    with pytest.MonkeyPatch.context() as patch:

        def save_twice(state: object, path: Path) -> None:
            save(state, path)
            states.append(state)
            if len(states) == 2:
                raise KeyboardInterrupt

        patch.setattr(torch, "save", save_twice)
        with pytest.raises(KeyboardInterrupt):
            train("cut", "cut.pt", 2)
    resumed = train("cut", "cut.pt", 2)
    expected = load_file(whole / "model.safetensors")
    for name, tensor in load_file(resumed / "model.safetensors").items():
        torch.testing.assert_close(tensor, expected[name])


def test_another_encoder_is_refused(encoder_folder: Path) -> None:
    (encoder_folder / "vocab.txt").write_text("other\n", "utf-8")
    with pytest.raises(SystemExit, match=r"vocab\.txt has the SHA-256"):
        read_encoder(encoder_folder)


def test_saved_embeddings_are_lowercase_plus_casing(encoder_folder: Path) -> None:
    encoder = read_encoder(encoder_folder)
    berlin = ENCODER.index("berlin")
    pieces = [
        Piece("berlin", berlin, Casing.LOWER),
        Piece("Berlin", berlin, Casing.CAPITALISED),
        Piece("BERLIN", berlin, Casing.UPPER),
    ]
    network = build_network(encoder, pieces)
    embedding = network.bert.embeddings.word_embeddings
    with torch.no_grad():
        embedding.casing.copy_(torch.tensor([[9.0], [1.0], [2.0]]).expand(-1, 24))
    saved = plain_state(network)["bert.embeddings.word_embeddings.weight"]
    base = encoder.table[berlin]
    torch.testing.assert_close(saved, torch.stack([base, base + 1, base + 2]))


def test_packed_matrices_unpack_to_what_they_were(encoder_folder: Path, tmp_path: Path) -> None:
    encoder = read_encoder(encoder_folder)
    pieces = [Piece(text, place, Casing.LOWER) for place, text in enumerate(ENCODER)]
    state = plain_state(build_network(encoder, pieces))
    save_file(pack(state), tmp_path / "model.safetensors")
    unpacked = read_weights(tmp_path)
    assert unpacked.keys() == state.keys()
    for name, tensor in state.items():
        rows = tensor.reshape(len(tensor), -1)
        step = rows.abs().amax(1, keepdim=True) / 127
        assert unpacked[name].dtype == np.float32
        difference = np.abs(unpacked[name].reshape(rows.shape) - rows.numpy())
        assert (difference <= 0.51 * step.numpy() + 1e-3).all(), name


def test_labels_sit_on_the_first_pieces_of_words_and_tell_neighbours_apart() -> None:
    numbers = {text: number for number, text in enumerate([*SPECIAL, "U", ".", "S", "An", "##na"])}
    sentence = Sentence(("U.S.", "U", "S", "Anna", "."), ("B-LOC", "B-LOC", "I-LOC", "B-PER", "O"))
    example = encode([sentence], numbers, Random(1))
    b_loc, i_loc, i_per, outside = (LABELS.index(label) for label in ("B-LOC", "I-LOC", "I-PER", "O"))
    assert example.pieces == [2, 5, 6, 7, 6, 5, 7, 8, 9, 6, 3]
    locations = [i_loc, i_loc, i_loc, i_loc, b_loc, i_loc]
    assert example.labels == [IGNORED, *locations, i_per, IGNORED, outside, IGNORED]


def test_some_sentences_change_their_casing_and_nothing_else() -> None:
    varied = [vary(SENTENCE, Random(seed)) for seed in range(300)]
    assert {sentence.labels for sentence in varied} == {SENTENCE.labels}
    assert {sentence.tokens for sentence in varied} == {
        SENTENCE.tokens,
        ("ANNA", "MET", "BOB", "."),
        ("anna", "met", "bob", "."),
    }


@pytest.mark.parametrize("complete", [True, False])
def test_outside_may_hide_misc_only_where_misc_was_not_marked(complete: bool) -> None:
    numbers = {text: number for number, text in enumerate([*SPECIAL, "x"])}
    batch = collate([encode([Sentence(("x",), ("O",), complete)], numbers, Random(0))])
    logits = torch.zeros(1, 3, len(LABELS))
    logits[0, 1, LABELS.index("B-MISC")] = 20
    loss = float(tagging_loss(logits, batch))
    assert loss == pytest.approx(20 if complete else 0, abs=1e-3)


def test_spans_are_exact_in_type_and_place() -> None:
    gold = [gold_spans(SENTENCE)]
    assert gold == [{("PER", 0, 4), ("PER", 9, 12)}]
    scores = score_spans(gold, [{("PER", 0, 4), ("PER", 9, 14), ("LOC", 9, 12)}])
    assert scores["PER"] == Score(gold=2, found=2, right=1)
    assert scores["LOC"] == Score(gold=0, found=1, right=0)
    total = sum(scores.values(), Score(0, 0, 0))
    assert (total.precision, total.recall, total.f1) == pytest.approx((1 / 3, 1 / 2, 2 / 5))


def test_the_rate_rises_and_falls_to_zero() -> None:
    rates = [schedule(step / 100) for step in range(101)]
    assert max(rates) == rates[10] == 1.0
    assert rates[0] == rates[-1] == 0.0


def test_scoring_reads_what_the_network_says(encoder_folder: Path) -> None:
    pieces = [Piece(text, place, Casing.LOWER) for place, text in enumerate(ENCODER)]
    network = build_network(read_encoder(encoder_folder), pieces)
    with torch.no_grad():
        network.classifier.weight.zero_()
        network.classifier.bias.copy_(torch.eye(len(LABELS))[LABELS.index("B-LOC")])
    document = (Sentence(("berlin", "met"), ("B-LOC", "O")), Sentence(("the",), ("B-PER",)))
    scores = score_documents(TokenClassifier(network), build_tokenizer(pieces), [document])
    assert scores["LOC"] == Score(gold=1, found=3, right=1)
    assert scores["PER"] == Score(gold=1, found=0, right=0)
