from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import transformers
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bert_ner.config import BertConfig
from bert_ner.inference import NerOptions, NerTask
from bert_ner.tokenizer import load_tokenizer
from modelserve.engines import Arrays
from modelserve.errors import InvalidInput, ModelLoadError, TooLarge
from modelserve.protocol.messages import InferenceRequest, RequestedOutput, Tensor, bytes_array
from modelserve.task import Limits

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
NAMES = ["angela", "berlin", "visits", "with", "ada", "in", "paris", "river"]
VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "-"),
    *NAMES,
    *string.ascii_lowercase,
    *(f"##{letter}" for letter in string.ascii_lowercase),
]
LIMITS = Limits(batch=4, text_bytes=1_000_000)


class NeighbourEngine:
    """Labels a piece by its own id and those beside it, so that a cut context changes the answer."""

    is_accelerated = False

    name = "neighbours"

    def __init__(self) -> None:
        self.table = np.random.default_rng(3).normal(size=(len(VOCABULARY), len(LABELS))) * 2
        self.shapes: list[tuple[int, ...]] = []

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        assert set(inputs) == {"input_ids", "attention_mask"}
        assert all(array.dtype == np.int64 for array in inputs.values())
        ids, mask = inputs["input_ids"], inputs["attention_mask"][..., None]
        self.shapes.append(ids.shape)
        own = self.table[ids] * mask
        around = np.pad(own, ((0, 0), (1, 1), (0, 0)))
        return {"logits": (own * 2 + around[:, :-2] + around[:, 2:]).astype(np.float32)}


class TorchModel:
    """The reference model itself, behind the engine's protocol."""

    name = "reference"
    is_accelerated = False

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        with torch.no_grad():
            logits = self.model(**{k: torch.from_numpy(v) for k, v in inputs.items()}).logits
        return {"logits": logits.numpy()}


def write_folder(folder: Path, *, max_positions: int = 512) -> Path:
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=max_positions,
        initializer_range=0.7,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
        architectures=["BertForTokenClassification"],
    )
    config.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", "utf-8")
    return folder


def build(folder: Path, engine: Any, *, max_positions: int = 512, limits: Limits = LIMITS) -> NerTask:
    write_folder(folder, max_positions=max_positions)
    return NerTask(engine, load_tokenizer(folder), BertConfig.load(folder), digest="sha256:00", limits=limits)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> NerTask:
    return build(tmp_path_factory.mktemp("model"), NeighbourEngine())


def call(
    *tensors: Tensor, outputs: tuple[str, ...] = (), parameters: dict[str, Any] | None = None
) -> InferenceRequest:
    return InferenceRequest(
        model_name="bert-ner",
        inputs=tensors,
        outputs=tuple(RequestedOutput(name) for name in outputs),
        parameters=parameters or {},
    )


def text_tensor(*texts: str | bytes, shape: tuple[int, ...] | None = None) -> Tensor:
    values = [text.encode() if isinstance(text, str) else text for text in texts]
    return Tensor("text", "BYTES", bytes_array(values, (len(values),) if shape is None else shape))


def infer(task: NerTask, request: InferenceRequest) -> list[Any]:
    decoded = task.decode(request)
    (output,) = task.encode(task.run(decoded.items), decoded, request)
    assert (output.name, output.datatype) == ("entities", "BYTES")
    assert output.shape == (len(decoded.items),)
    return [json.loads(value) for value in output.array]


SENTENCE = "angela visits berlin with ada in paris ."


def test_v1_and_v2_answer_the_same(task: NerTask) -> None:
    texts = [SENTENCE, "river", ""]
    decoded = task.decode_v1(texts)
    predictions = task.encode_v1(task.run(decoded.items), decoded)
    assert predictions == infer(task, call(text_tensor(*texts)))
    assert predictions[0]
    for entity in predictions[0]:
        assert list(entity) == ["type", "text", "start", "end", "score"]
        assert entity["text"] == SENTENCE[entity["start"] : entity["end"]]


def test_a_batch_axis_of_one_is_accepted(task: NerTask) -> None:
    texts = (SENTENCE, "ada in berlin")
    assert infer(task, call(text_tensor(*texts, shape=(2, 1)))) == infer(task, call(text_tensor(*texts)))


@pytest.mark.parametrize("text", ["", "   ", "\n\u200b\u0301"])
def test_a_text_without_words_has_no_entities(tmp_path: Path, text: str) -> None:
    engine = NeighbourEngine()
    task = build(tmp_path, engine)
    assert task.run([text, text]) == [[], []]
    assert engine.shapes == []


def test_min_score_leaves_out_what_is_less_sure(task: NerTask) -> None:
    everything = infer(task, call(text_tensor(SENTENCE)))[0]
    scores = sorted(entity["score"] for entity in everything)
    assert scores[0] < scores[-1]
    sure = infer(task, call(text_tensor(SENTENCE), parameters={"min_score": scores[-1], "other": "x"}))[0]
    assert sure == [entity for entity in everything if entity["score"] >= scores[-1]]


def test_texts_are_independent_of_what_is_computed_with_them(task: NerTask) -> None:
    texts = [SENTENCE, "ada", "x " * 700, "", "berlin , river - angela"]
    assert task.run(texts) == [task.run([text])[0] for text in texts]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(), max_size=4))
def test_any_text_is_answered_with_spans_of_it(task: NerTask, texts: list[str]) -> None:
    for text, entities in zip(texts, task.run(texts), strict=True):
        for entity in entities:
            assert entity["text"] == text[entity["start"] : entity["end"]] != ""


def test_a_long_text_is_read_as_if_the_window_had_no_end(tmp_path: Path) -> None:
    words = np.random.default_rng(0).choice([*NAMES, "unfathomable", ".", "xyz"], 20_000)
    text = " ".join(words)
    engine = NeighbourEngine()
    windowed = build(tmp_path / "windowed", engine).run([text])
    assert max(length for _, length in engine.shapes) == 512
    assert len(windowed[0]) > 1000
    whole = build(tmp_path / "whole", NeighbourEngine(), max_positions=100_000).run([text])
    assert windowed == whole


def test_each_sentence_of_a_long_text_has_its_own_entities(tmp_path: Path) -> None:
    engine = NeighbourEngine()
    # The sentence's edges are points, whose neighbours are the same wherever the sentence stands.
    task = build(tmp_path, engine)
    sentence = ". . angela visits berlin with ada in paris . . "
    alone = [e for e in task.run([sentence])[0] if e["text"].strip(" .")]
    many = [e for e in task.run([sentence * 1800])[0] if e["text"].strip(" .")]
    assert alone
    assert [(e["type"], e["text"]) for e in many] == [(e["type"], e["text"]) for e in alone] * 1800
    assert [e["start"] % len(sentence) for e in many] == [e["start"] for e in alone] * 1800


TEXTS = st.lists(
    st.sampled_from([*NAMES, "a", "abc", "unfathomable", ".", ",", "well-known"]), min_size=1, max_size=40
).map(" ".join)


@pytest.fixture(scope="module")
def with_reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[NerTask, Any]:
    folder = write_folder(tmp_path_factory.mktemp("reference"))
    model = transformers.BertForTokenClassification(transformers.BertConfig.from_pretrained(folder)).eval()
    # Sure of its labels, as a trained model mostly is.
    model.classifier.weight.data.mul_(1000)
    task = build(folder, TorchModel(model))
    reference = transformers.pipeline(
        "token-classification",
        model=model,
        tokenizer=transformers.BertTokenizerFast.from_pretrained(folder),
        aggregation_strategy="first",
        device="cpu",
    )
    return task, reference


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_entities_are_those_of_transformers_pipeline(with_reference: tuple[NerTask, Any], text: str) -> None:
    """Only scores differ, on purpose: the pipeline counts B-PER alone, we count PER."""
    task, reference = with_reference
    # Where a label is in any doubt we keep to one type for neighbours, and the pipeline does not.
    pieces = reference(text, aggregation_strategy="none", ignore_labels=[])
    assume(all(piece["score"] > 0.9999 for piece in pieces))
    expected = reference(text)
    (ours,) = task.run([text])
    assert [(e["type"], e["start"], e["end"]) for e in ours] == [
        (e["entity_group"], e["start"], e["end"]) for e in expected
    ]
    for entity, theirs in zip(ours, expected, strict=True):
        assert entity["score"] >= theirs["score"] - 1e-5


PAIR = Tensor("text", "BYTES", bytes_array([b"a", b"b"], (1, 2)))


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        pytest.param(call(), InvalidInput, "'text' is missing", id="no input"),
        pytest.param(call(Tensor("txt", "BYTES", PAIR.array)), InvalidInput, "'text' is accepted", id="name"),
        pytest.param(call(text_tensor("a"), text_tensor("b")), InvalidInput, "given twice", id="twice"),
        pytest.param(call(Tensor("text", "FP32", np.zeros(1))), InvalidInput, "BYTES is accepted", id="type"),
        pytest.param(call(PAIR), InvalidInput, r"shape \[1, 2\]; \[n\] or \[n, 1\]", id="shape"),
        pytest.param(call(text_tensor("a", shape=())), InvalidInput, r"shape \[\]", id="scalar"),
        pytest.param(call(text_tensor()), InvalidInput, "at least one", id="empty"),
        pytest.param(call(text_tensor(*"abcde")), TooLarge, "5 items; at most 4", id="batch"),
        pytest.param(
            call(text_tensor("a", b"\xff")), InvalidInput, "text 1 is no UTF-8 at byte 0", id="UTF-8"
        ),
        pytest.param(
            call(text_tensor("a"), outputs=("entity",)), InvalidInput, "'entities' is accepted", id="output"
        ),
        pytest.param(
            call(text_tensor("a", b"a" * 1_000_001)), TooLarge, "text 1 has 1000001 bytes", id="long"
        ),
        *(
            pytest.param(
                call(text_tensor("a"), parameters={"min_score": value}),
                InvalidInput,
                "a number from 0 to 1",
                id=f"min_score {value}",
            )
            for value in (True, "0.5", -0.1, 1.1, float("nan"))
        ),
    ],
)
def test_v2_requests_that_are_refused(
    task: NerTask, request_: InferenceRequest, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        task.decode(request_)


@pytest.mark.parametrize(
    ("instances", "error", "message"),
    [
        ([], InvalidInput, "at least one"),
        (["a"] * 5, TooLarge, "at most 4"),
        (["a", {"text": "b"}], InvalidInput, "instance 1 is an object; a string is accepted"),
        ([None], InvalidInput, "instance 0 is null"),
        ([True], InvalidInput, "instance 0 is a boolean"),
        ([1.5], InvalidInput, "instance 0 is a number"),
        ([["a"]], InvalidInput, "instance 0 is an array"),
        (["a", "\ud800"], InvalidInput, "text 1 holds half of a surrogate pair"),
        (["é" * 500_001], TooLarge, "text 0 has 1000002 bytes"),
    ],
)
def test_v1_instances_that_are_refused(
    task: NerTask, instances: list[Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        task.decode_v1(instances)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path)
    with (tmp_path / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("one-more\n")
    with pytest.raises(ModelLoadError, match="largest id"):
        NerTask(
            NeighbourEngine(),
            load_tokenizer(tmp_path),
            BertConfig.load(tmp_path),
            digest="sha256:00",
            limits=LIMITS,
        )


def test_a_model_without_room_for_a_piece_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="reads 2 pieces at once"):
        build(tmp_path, NeighbourEngine(), max_positions=2)


def test_metadata(tmp_path: Path) -> None:
    engine = NeighbourEngine()
    task = build(tmp_path, engine)
    assert [(s.name, s.datatype, s.shape) for s in (*task.inputs, *task.outputs)] == [
        ("text", "BYTES", (-1,)),
        ("entities", "BYTES", (-1,)),
    ]
    assert task.digest == "sha256:00"
    assert task.decode_v1(["a"]).options == NerOptions(min_score=0.0)
