"""Folders as others leave them, served by the real server: transformers' and torchvision's own."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from torchvision import transforms
from torchvision.models import resnet50

WORDS = [
    "Angela",
    "Merkel",
    "met",
    "Bara",
    "##ck",
    "Obama",
    "in",
    "Berlin",
    "the",
    "of",
    ".",
    ",",
    "a",
    "##s",
]
CONLL = ["O", "B-MISC", "I-MISC", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
TEXTS = ["Angela Merkel met Barack Obama in Berlin.", "the Berlin of Obama, a Merkel. " * 150]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cased tagger with CoNLL's nine labels and 512 positions, as ``save_pretrained`` writes it."""
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    tokenizer = transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=False)
    (folder / "vocab.txt").unlink()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=96,
        num_hidden_layers=3,
        num_attention_heads=12,
        intermediate_size=192,
        id2label=dict(enumerate(CONLL)),
        label2id={label: number for number, label in enumerate(CONLL)},
        initializer_range=0.3,
    )
    model = transformers.BertForTokenClassification(config)
    model.classifier.weight.data.mul_(20)  # sure of its labels, as a trained model is
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet-50 of torchvision's as a state dict, and nothing else."""
    folder = tmp_path_factory.mktemp("resnet")
    torch.manual_seed(2)
    torch.save(resnet50().state_dict(), folder / "resnet50.pth")
    return folder


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_both_are_served_as_their_libraries_compute_them(
    start_server: Any, bert: Path, resnet: Path, cat_jpeg: bytes, tmp_path: Path, engine: str
) -> None:
    models = ("--model", f"names={bert}", "--model", f"pictures={resnet}")
    server = start_server("modelserve.cli", "serve", *models, "--engine", engine)

    tagger = transformers.pipeline(
        "token-classification", model=str(bert), aggregation_strategy="first", device="cpu"
    )
    answer = server.post("/v1/models/names:predict", json={"instances": TEXTS})
    short, long = answer.json()["predictions"]
    assert short
    assert [(e["type"], e["start"], e["end"]) for e in short] == [
        (e["entity_group"], e["start"], e["end"]) for e in tagger(TEXTS[0])
    ]
    # The pipeline cuts long texts off; here the last words have their entities too.
    assert max(e["end"] for e in long) > len(TEXTS[1]) - 40

    (tmp_path / "cat.jpg").write_bytes(cat_jpeg)
    preset = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    network = resnet50()
    network.load_state_dict(torch.load(resnet / "resnet50.pth", weights_only=True))
    with torch.inference_mode():
        pixels = preset(Image.open(tmp_path / "cat.jpg").convert("RGB"))[None]
        expected = network.eval()(pixels).softmax(1)[0].numpy()
    image = {
        "name": "image",
        "datatype": "BYTES",
        "shape": [1],
        "data": [base64.b64encode(cat_jpeg).decode()],
    }
    body = {"inputs": [image], "outputs": [{"name": "probability"}, {"name": "label"}]}
    answer = server.post("/v2/models/pictures/infer", content=json.dumps(body))
    outputs = {output["name"]: output for output in answer.json()["outputs"]}
    assert outputs["probability"]["shape"] == [1, 1000]
    np.testing.assert_allclose(outputs["probability"]["data"], expected, atol=1e-4)
    assert outputs["label"]["data"][0] == str(expected.argmax())
