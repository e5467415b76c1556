"""Export writes what answers as the original does, and nothing else."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from PIL import Image
from safetensors.torch import save_file
from transformers import BertConfig, BertForTokenClassification

from bert_ner.recipe import RECIPE as BERT
from modelserve.cli import export as command
from modelserve.engines.graph import Graph
from modelserve.errors import ExportError
from modelserve.export import export_model, find_recipe
from resnet_classifier.architecture import Architecture
from resnet_classifier.network import build_network
from resnet_classifier.recipe import RECIPE as RESNET

WORDS = ["Berlin", "Paris", "Siemens", "Anna", "Karl", "works", "in", "for", "and", "lives", "the", "a"]


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    options = parser.parse_args(["export", *arguments])
    status: int = options.run(options)
    return status


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(2)
    lines = [" ".join(random.choice(WORDS, size=random.integers(1, 12))) for _ in range(60)]
    path = tmp_path_factory.mktemp("texts") / "texts.txt"
    path.write_text("\n\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that has learnt which words are names, so that its logits are apart."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
        id2label={0: "O", 1: "B-LOC", 2: "B-ORG", 3: "B-PER"},
    )
    model = BertForTokenClassification(config)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small that a second one only waits
    kinds = torch.zeros(len(vocabulary), dtype=torch.long)
    kinds[5:10] = torch.tensor([1, 1, 2, 3, 3])
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(30):
        ids = torch.randint(2, len(vocabulary), (16, 12))
        loss = model(input_ids=ids, labels=kinds[ids]).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.set_num_threads(threads)
    assert loss < 0.2
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(4)
    for number in range(24):
        small = Image.fromarray(random.integers(0, 256, (4, 4, 3), np.uint8))
        small.resize((32, 32)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """Random features, whose classes are far apart on the images."""
    folder = tmp_path_factory.mktemp("resnet")
    (folder / "preprocess.json").write_text('{"resize": 32, "crop": 32}')
    (folder / "labels.txt").write_text("a\nb\nc\n")
    torch.manual_seed(1)
    architecture = Architecture(bottleneck=False, layers=(1, 1, 1, 1), classes=3, small_stem=True)
    network = build_network(architecture).eval()
    save_file(network.state_dict(), folder / "model.safetensors")
    pixels = torch.from_numpy(np.concatenate([b["pixels"] for b in RESNET.read_samples(folder, images)]))
    with torch.no_grad():
        network.fc = torch.nn.Identity()
        features = network(pixels)
        centred = features - features.mean(0)
        directions = torch.linalg.svd(centred, full_matrices=False).Vh[:3]
        state = network.state_dict()
        state["fc.weight"] = (directions * 8 / centred.std()).contiguous()
        state["fc.bias"] = -(state["fc.weight"] @ features.mean(0))
    save_file(state, folder / "model.safetensors")
    return folder


def operators(folder: Path) -> set[str]:
    return {node.op_type for node in onnx.load(folder / "model.onnx").graph.node}


def test_fp32_keeps_the_answers_and_leaves_the_weights_behind(
    bert: Path, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "folder"
    arguments = ["--model_dir", str(bert), "--output", str(output), "--samples", str(texts), "--json"]
    assert run(*arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["max_difference"] < 1e-4
    assert report["agreement"] == 1
    assert report["judged"] > 200
    names = {path.name for path in output.iterdir()}
    assert names == {"model.onnx", "config.json", "vocab.txt", "tokenizer_config.json"}
    assert list(output.parent.iterdir()) == [output]


def test_fp32_needs_no_samples(resnet: Path, tmp_path: Path) -> None:
    report = export_model(resnet, tmp_path / "out")
    assert report.judged == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("model.onnx", "labels.txt", "preprocess.json")
    }


def test_int8_of_a_token_classifier(bert: Path, texts: Path, tmp_path: Path) -> None:
    full = export_model(bert, tmp_path / "fp32", samples=texts)
    report = export_model(bert, tmp_path / "int8", precision="int8", samples=texts)
    assert report.agreement >= 0.99
    assert 1e-4 < report.max_difference < 1
    assert report.bytes < 0.5 * full.bytes
    assert {"DynamicQuantizeLinear", "QAttention"} & operators(tmp_path / "int8")
    quantised = onnx.load(tmp_path / "int8" / "model.onnx").graph.initializer
    assert any(t.name == "classifier.weight" and t.data_type == onnx.TensorProto.FLOAT for t in quantised)


def test_int8_of_a_resnet(resnet: Path, images: Path, tmp_path: Path) -> None:
    full = export_model(resnet, tmp_path / "fp32", samples=images)
    report = export_model(resnet, tmp_path / "int8", precision="int8", samples=images, agreement=0.9)
    assert report.judged == 24
    assert report.agreement >= 0.9
    assert report.max_difference > 1e-3
    assert report.bytes < 0.3 * full.bytes
    assert "QuantizeLinear" in operators(tmp_path / "int8")


def test_a_graph_that_answers_otherwise_is_refused(
    bert: Path,
    texts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    original = BERT.kind.build_graph

    def corrupt(model_dir: Path) -> Any:
        graph = original(model_dir)
        name = "bert.encoder.layer.1.output.dense.weight"
        return Graph(graph.skeleton, {**graph.weights, name: graph.weights[name] * np.float32(1.05)})

    monkeypatch.setattr(type(BERT), "kind", replace(BERT.kind, build_graph=corrupt))
    output = tmp_path / "out"
    assert run("--model_dir", str(bert), "--output", str(output), "--samples", str(texts)) == 1
    assert "logits differ from torch's" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    # Within a tolerance that its owner accepts, it is written.
    export_model(bert, output, samples=texts, tolerance=10.0, agreement=0.5)


def test_int8_that_changes_labels_is_refused(
    resnet: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mirrored(graph: onnx.ModelProto, samples: object, target: Path) -> None:
        for tensor in graph.graph.initializer:
            if tensor.name.startswith("fc."):
                tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))
        onnx.save(graph, target)

    monkeypatch.setattr(RESNET, "quantise", mirrored)
    with pytest.raises(ExportError, match="of 24 samples the label that torch gives; at least"):
        export_model(resnet, tmp_path / "out", precision="int8", samples=images)
    assert list(tmp_path.iterdir()) == []


def test_int8_without_samples_is_bad_usage(resnet: Path, tmp_path: Path) -> None:
    assert run("--model_dir", str(resnet), "--output", str(tmp_path / "a"), "--precision", "int8") == 2
    with pytest.raises(ExportError, match="int8 needs some"):
        export_model(resnet, tmp_path / "out", precision="int8")


def test_a_folder_with_something_in_it_is_not_overwritten(resnet: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ExportError, match="is there already"):
        export_model(resnet, tmp_path)


def test_samples_that_are_none(bert: Path, resnet: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(ExportError, match="holds no text"):
        export_model(bert, tmp_path / "out", samples=tmp_path / "empty.txt")
    with pytest.raises(ExportError, match="no file of UTF-8"):
        export_model(bert, tmp_path / "out", samples=images / "00.png")
    with pytest.raises(ExportError, match="no folder with images"):
        export_model(resnet, tmp_path / "out", samples=tmp_path)


def test_the_recipe_is_found_by_the_folder(bert: Path, resnet: Path, tmp_path: Path) -> None:
    assert find_recipe(bert) is BERT
    assert find_recipe(resnet) is RESNET
    with pytest.raises(ExportError, match="folders of: bert_ner, resnet_classifier"):
        find_recipe(tmp_path)
