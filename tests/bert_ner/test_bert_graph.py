"""The ONNX graph and the torch module answer as transformers' own BERT does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig as HubConfig
from transformers import BertForTokenClassification

from bert_ner.engine import build_graph, load_engine
from modelserve.engines.weights import digest
from modelserve.errors import ModelLoadError

LABELS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
BASE_HEADS = {"hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 12, "intermediate_size": 192}


def make_folder(folder: Path, **sizes: Any) -> BertForTokenClassification:
    """Save a random classifier as transformers does; its weights are far from their start."""
    torch.manual_seed(3)
    config = HubConfig(
        vocab_size=120, max_position_embeddings=512, id2label=dict(enumerate(LABELS)), **{**SMALL, **sizes}
    )
    model = BertForTokenClassification(config).eval()
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.normal_(std=0.2)
        for name, tensor in model.named_parameters():
            if name.endswith("LayerNorm.weight"):
                tensor.add_(1)
    model.save_pretrained(folder)
    return model


def padded_batch(length: int = 17) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(5)
    mask = (np.arange(length) < np.array([[length], [length // 2], [1]])).astype(np.int64)
    return {"input_ids": random.integers(0, 120, (3, length)), "attention_mask": mask}


def expected_logits(model: torch.nn.Module, batch: dict[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
        logits: np.ndarray[Any, Any] = model(**tensors).logits.numpy()
    return logits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_folder(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize(
    ("sizes", "length"),
    [
        (SMALL, 17),
        (SMALL, 512),
        (BASE_HEADS, 40),
        ({"hidden_act": "gelu_new"}, 17),
        ({"hidden_act": "gelu_pytorch_tanh"}, 17),
        ({"hidden_act": "relu", "layer_norm_eps": 1e-3}, 17),
    ],
    ids=["small", "whole-window", "twelve-heads", "gelu_new", "gelu_tanh", "relu"],
)
def test_both_engines_answer_as_transformers(
    tmp_path: Path, engine: str, sizes: dict[str, Any], length: int
) -> None:
    model, batch = make_folder(tmp_path, **sizes), padded_batch(length)
    loaded, model_digest = load_engine(tmp_path, engine=engine, threads=2, device="cpu")
    expected, kept = expected_logits(model, batch), batch["attention_mask"] == 1
    found = loaded.run(batch)["logits"]
    assert found.dtype == np.float32
    assert np.abs(expected[kept]).max() > 1
    np.testing.assert_allclose(found[kept], expected[kept], atol=1e-4)
    assert model_digest == digest(tmp_path / "model.safetensors")


def test_padding_does_not_change_what_is_not_padding(folder: Path) -> None:
    engine, _ = load_engine(folder, engine="onnx")
    batch = padded_batch()
    count = int(batch["attention_mask"][1].sum())
    alone = engine.run({name: array[1:2, :count] for name, array in batch.items()})["logits"]
    np.testing.assert_allclose(engine.run(batch)["logits"][1, :count], alone[0], atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_half_precision_files_are_served_in_float32(folder: Path, dtype: torch.dtype, engine: str) -> None:
    state = {name: tensor.to(dtype) for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(state, folder / "model.safetensors")
    model = BertForTokenClassification(HubConfig.from_pretrained(folder)).eval()
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    batch = padded_batch()
    loaded, _ = load_engine(folder, engine=engine, device="cpu")
    kept = batch["attention_mask"] == 1
    np.testing.assert_allclose(
        loaded.run(batch)["logits"][kept], expected_logits(model, batch)[kept], atol=1e-4
    )


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_names_of_old_checkpoints(folder: Path, engine: str) -> None:
    batch = padded_batch()
    before, _ = load_engine(folder, engine="onnx")
    expected = before.run(batch)["logits"]
    old = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        short = name.removeprefix("bert.")
        if "LayerNorm" in name:
            short = short.replace(".weight", ".gamma").replace(".bias", ".beta")
        old[short] = tensor
    old["embeddings.position_ids"] = torch.arange(512)[None]
    old["pooler.dense.weight"] = torch.zeros(32, 32)
    save_file(old, folder / "model.safetensors")
    loaded, _ = load_engine(folder, engine=engine, device="cpu")
    np.testing.assert_allclose(loaded.run(batch)["logits"], expected, atol=1e-4)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_folder_without_the_head_is_refused(folder: Path, engine: str) -> None:
    state = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in state.items() if "classifier" not in k}, folder / "model.safetensors")
    with pytest.raises(ModelLoadError, match="no token-classification head"):
        load_engine(folder, engine=engine, device="cpu")


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("change", ["missing", "shape"])
def test_weights_that_do_not_fit_the_configuration_are_refused(
    folder: Path, engine: str, change: str
) -> None:
    name = "bert.encoder.layer.1.output.dense.weight"
    state = load_file(folder / "model.safetensors")
    state.pop(name)
    if change == "shape":
        state[name] = torch.zeros(32, 63)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(ModelLoadError, match=r"layer\.1\.output\.dense\.weight"):
        load_engine(folder, engine=engine, device="cpu")


def test_ids_beyond_the_vocabulary_do_not_read_other_memory(folder: Path) -> None:
    engine, _ = load_engine(folder, engine="onnx")
    with pytest.raises(Exception, match="out of data bounds"):
        engine.run({"input_ids": np.array([[120]]), "attention_mask": np.array([[1]])})


def test_an_exported_graph_is_preferred_and_needs_no_weights(folder: Path) -> None:
    batch = padded_batch()
    expected = load_engine(folder, engine="onnx")[0].run(batch)["logits"]
    (folder / "model.onnx").write_bytes(build_graph(folder).whole().SerializeToString())
    (folder / "model.safetensors").unlink()
    engine, found = load_engine(folder)
    assert (engine.name, found) == ("onnxruntime", digest(folder / "model.onnx"))
    np.testing.assert_array_equal(engine.run(batch)["logits"], expected)
    with pytest.raises(ModelLoadError, match="torch engine cannot run"):
        load_engine(folder, engine="torch")


def test_the_configuration_reads_labels_in_the_order_of_their_ids(folder: Path) -> None:
    from bert_ner.config import BertConfig

    path = folder / "config.json"
    raw = json.loads(path.read_text())
    raw["id2label"] = dict(reversed(raw["id2label"].items()))
    path.write_text(json.dumps(raw))
    config = BertConfig.load(folder)
    assert config.labels == LABELS
    assert (config.max_positions, config.vocab_size, config.heads) == (512, 120, 4)
