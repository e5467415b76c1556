"""Both models as the users of any serving framework write them, for every peer alike.

tokenizers or Pillow before, numpy after, and between them either torch, with transformers and torchvision
as every framework's documentation has it, or ONNX Runtime with modelserve's own graph, threads and session
options: what is told apart then is the serving alone. How entities are read from logits is
``bert_ner.entities``, so that equal logits are equal answers.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from tokenizers import Tokenizer

from bert_ner.entities import Entity, Scheme, find_entities

Run = Callable[[dict[str, Any]], Any]
"""An engine: inputs by name to the logits."""


class PeerModel(Protocol):
    """Items of several calls in, an answer for each out."""

    def predict(self, items: Sequence[Any]) -> list[Any]:
        """Compute all of them as one batch."""
        ...


def load_model() -> PeerModel:
    """The model that ``MODEL_KIND``, ``MODEL_DIR``, ``PEER_ENGINE`` and ``THREADS`` name."""
    folder = Path(os.environ["MODEL_DIR"])
    engine = torch_engine(folder) if os.environ["PEER_ENGINE"] == "torch" else onnx_engine(folder)
    return Ner(folder, engine) if os.environ["MODEL_KIND"] == "ner" else Classifier(folder, engine)


def threads() -> int:
    """Threads that compute one batch."""
    return int(os.environ["THREADS"])


def torch_engine(folder: Path) -> Run:
    """The folder's weights in torchvision's or transformers' own module."""
    import torch  # noqa: PLC0415  # one of the two engines is used

    torch.set_num_threads(threads())
    if os.environ["MODEL_KIND"] == "ner":
        from transformers import AutoModelForTokenClassification  # noqa: PLC0415

        tagger = AutoModelForTokenClassification.from_pretrained(folder).eval()

        def tag(feed: dict[str, Any]) -> Any:
            with torch.inference_mode():
                return tagger(
                    **{name: torch.from_numpy(value) for name, value in feed.items()}
                ).logits.numpy()

        return tag
    from safetensors.torch import load_file  # noqa: PLC0415
    from torchvision.models import resnet50  # noqa: PLC0415

    classifier = resnet50()
    classifier.load_state_dict(load_file(folder / "model.safetensors"))
    classifier.eval()

    def classify(feed: dict[str, Any]) -> Any:
        with torch.inference_mode():
            return classifier(torch.from_numpy(feed["pixels"])).numpy()

    return classify


def onnx_engine(folder: Path) -> Run:
    """The folder's graph on ONNX Runtime's CPU provider."""
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_inputs()]
    return lambda feed: session.run(["logits"], {name: feed[name] for name in names})[0]


class Ner:
    """Entities in texts of up to the model's window."""

    def __init__(self, folder: Path, engine: Run) -> None:
        self._engine = engine
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_padding()
        labels = json.loads((folder / "config.json").read_text("utf-8"))["id2label"]
        self._scheme = Scheme([labels[str(number)] for number in range(len(labels))])

    def predict(self, items: Sequence[str]) -> list[list[Entity]]:
        """Find the entities of each text."""
        encodings = self._tokenizer.encode_batch(list(items))
        logits = self._engine(
            {
                "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
                "attention_mask": np.array([encoding.attention_mask for encoding in encodings], np.int64),
            }
        )
        answers = []
        for text, encoding, rows in zip(items, encodings, logits, strict=True):
            inside = slice(1, sum(encoding.attention_mask) - 1)
            word_ids = np.array(encoding.word_ids[inside], np.int64)
            offsets = np.array(encoding.offsets[inside], np.int64)
            answers.append(find_entities(text, word_ids, offsets, rows[inside], self._scheme))
        return answers


class Classifier:
    """The five most probable classes of an image."""

    def __init__(self, folder: Path, engine: Run) -> None:
        self._engine = engine
        self._labels = (folder / "labels.txt").read_text("utf-8").splitlines()
        self._mean = np.array([0.485, 0.456, 0.406], np.float32)
        self._std = np.array([0.229, 0.224, 0.225], np.float32)

    def predict(self, items: Sequence[bytes]) -> list[dict[str, Any]]:
        """Classify each encoded image."""
        logits = self._engine({"pixels": np.stack([self._to_tensor(item) for item in items])})
        exponents = np.exp(logits - logits.max(1, keepdims=True))
        probabilities = exponents / exponents.sum(1, keepdims=True)
        best = np.argsort(-probabilities, axis=1)[:, :5]
        return [
            {"labels": [self._labels[c] for c in row], "scores": probability[row].tolist()}
            for row, probability in zip(best, probabilities, strict=True)
        ]

    def _to_tensor(self, data: bytes) -> Any:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        scale = 256 / min(image.size)
        width, height = (int(side * scale) for side in image.size)
        left, top = round((width - 224) / 2), round((height - 224) / 2)
        resized = image.resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(resized.crop((left, top, left + 224, top + 224)), np.float32) / 255
        return ((pixels - self._mean) / self._std).transpose(2, 0, 1)
