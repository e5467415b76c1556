"""The models and inputs of a run: the same files for every contender, made once below ``.bench``."""

from __future__ import annotations

import io
import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from safetensors.numpy import save_file

from benchmarks.places import SAMPLES, SCRATCH
from benchmarks.sentences import make_sentences
from bert_ner.engine import build_graph as build_bert
from modelserve.engines.weights import read_weights
from modelserve.protocol.samples import Item
from resnet_classifier.engine import build_graph as build_resnet

Weights = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Kind:
    """A model and what it is asked.

    ``name`` is ``ner`` or ``image``; ``unit`` is modelserve's package for it; ``folder`` holds the
    weights as float32 safetensors and as ``model.onnx``.
    """

    name: str
    title: str
    unit: str
    folder: Path
    items: tuple[Item, ...]


@cache
def ner() -> Kind:
    """The sample token classifier and sentences."""
    folder = SCRATCH / "models" / "bert-ner"
    if not (folder / "model.onnx").exists():
        _make_bert(SAMPLES / "bert-ner", folder)
    return Kind("ner", "BERT NER (the sample)", "bert_ner", folder, tuple(make_sentences(256)))


@cache
def image() -> Kind:
    """A ResNet-50 of random weights, which computes as any other does, and photographs."""
    folder = SCRATCH / "models" / "resnet50"
    if not (folder / "model.onnx").exists():
        _make_resnet(folder)
    return Kind("image", "ResNet-50", "resnet_classifier", folder, tuple(make_images(64)))


def small_image() -> Kind:
    """The sample image classifier, where the number of requests matters and not their size."""
    folder = SAMPLES / "resnet-classifier"
    return Kind("image", "ResNet (the sample)", "resnet_classifier", folder, tuple(make_images(64)))


def small_ner() -> Kind:
    """The sample token classifier from the folder that the repository holds."""
    return Kind("ner", "BERT NER (the sample)", "bert_ner", SAMPLES / "bert-ner", ner().items)


def make_images(count: int) -> Iterator[bytes]:
    """JPEGs of about 500 x 375 pixels: parts of one photograph, mirrored, in different qualities."""
    chance = random.Random(0)
    with Image.open(SAMPLES / "images" / "cat.jpg") as file:
        photograph = file.convert("RGB")
    for _ in range(count):
        share = chance.uniform(0.6, 1.0)
        width, height = photograph.width * share, photograph.height * share
        left, top = chance.uniform(0, photograph.width - width), chance.uniform(0, photograph.height - height)
        size = (chance.randint(480, 520), chance.randint(360, 390))
        part = photograph.resize(size, Image.Resampling.BICUBIC, (left, top, left + width, top + height))
        if chance.random() < 0.5:
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        stream = io.BytesIO()
        part.save(stream, "JPEG", quality=chance.randint(80, 92))
        yield stream.getvalue()


def _make_bert(source: Path, folder: Path) -> None:
    """The sample in the form that transformers reads too: float32, without scales beside integers."""
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((source / "config.json").read_text("utf-8"))
    config.pop("quantization_config", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2), "utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder)
    save_file(read_weights(source), folder / "model.safetensors", {"format": "pt"})
    (folder / "model.onnx").write_bytes(build_bert(folder).whole().SerializeToString())


def _make_resnet(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(random_resnet50(), folder / "model.safetensors", {"format": "pt"})
    (folder / "labels.txt").write_text("".join(f"class {number}\n" for number in range(1000)), "utf-8")
    (folder / "model.onnx").write_bytes(build_resnet(folder).whole().SerializeToString())


def random_resnet50() -> Weights:
    """Weights in torchvision's names, scaled so that every layer's values stay of one size."""
    chance = np.random.default_rng(0)
    weights: Weights = {}

    def convolution(name: str, outputs: int, inputs: int, kernel: int) -> None:
        deviation = np.sqrt(2 / (inputs * kernel * kernel))
        shape = (outputs, inputs, kernel, kernel)
        weights[f"{name}.weight"] = chance.standard_normal(shape, np.float32) * np.float32(deviation)

    def norm(name: str, channels: int, gain: float = 1.0) -> None:
        weights[f"{name}.weight"] = np.full(channels, gain, np.float32)
        weights[f"{name}.bias"] = np.zeros(channels, np.float32)
        weights[f"{name}.running_mean"] = np.zeros(channels, np.float32)
        weights[f"{name}.running_var"] = np.ones(channels, np.float32)

    convolution("conv1", 64, 3, 7)
    norm("bn1", 64)
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        planes = 32 * 2**stage
        for block in range(blocks):
            stem = f"layer{stage}.{block}"
            convolution(f"{stem}.conv1", planes, channels, 1)
            convolution(f"{stem}.conv2", planes, planes, 3)
            convolution(f"{stem}.conv3", planes * 4, planes, 1)
            for number, wide in ((1, planes), (2, planes), (3, planes * 4)):
                norm(f"{stem}.bn{number}", wide, 0.3 if number == 3 else 1.0)
            if block == 0:
                convolution(f"{stem}.downsample.0", planes * 4, channels, 1)
                norm(f"{stem}.downsample.1", planes * 4, 0.7)
            channels = planes * 4
    weights["fc.weight"] = chance.standard_normal((1000, channels), np.float32) * np.float32(0.05)
    weights["fc.bias"] = chance.standard_normal(1000, np.float32)
    return weights
