"""KServe's custom predictor with torch, transformers and torchvision, as its documentation writes one."""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kserve import Model, ModelServer, model_server
from peer_models import threads
from PIL import Image
from safetensors.torch import load_file
from torchvision import models, transforms
from transformers import AutoModelForTokenClassification, AutoTokenizer

from bert_ner.entities import Scheme, find_entities

FOLDER = Path(os.environ["MODEL_DIR"])


class NerPredictor(Model):  # type: ignore[misc]
    """A token classifier over V1."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.load()

    def load(self) -> bool:
        """Load the model when the server starts."""
        self.tokenizer = AutoTokenizer.from_pretrained(FOLDER)
        self.model = AutoModelForTokenClassification.from_pretrained(FOLDER).eval()
        labels = json.loads((FOLDER / "config.json").read_text("utf-8"))["id2label"]
        self.scheme = Scheme([labels[str(number)] for number in range(len(labels))])
        self.ready = True
        return True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> dict[str, Any]:
        """Answer the instances of one call."""
        texts = payload["instances"]
        encoded = self.tokenizer(texts, padding=True, return_tensors="pt")
        with torch.inference_mode():
            logits = self.model(**encoded).logits.numpy()
        answers = []
        for row, text in enumerate(texts):
            encoding = encoded.encodings[row]
            inside = slice(1, sum(encoding.attention_mask) - 1)
            word_ids = np.array(encoding.word_ids[inside], np.int64)
            offsets = np.array(encoding.offsets[inside], np.int64)
            answers.append(find_entities(text, word_ids, offsets, logits[row][inside], self.scheme))
        return {"predictions": answers}


class ImagePredictor(Model):  # type: ignore[misc]
    """An image classifier over V1."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.load()

    def load(self) -> bool:
        """Load the model when the server starts."""
        self.model = models.resnet50()
        self.model.load_state_dict(load_file(FOLDER / "model.safetensors"))
        self.model.eval()
        self.labels = (FOLDER / "labels.txt").read_text("utf-8").splitlines()
        self.transform = transforms.Compose(
            [
                transforms.Resize(256),
                transforms.CenterCrop(224),
                transforms.ToTensor(),
                transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            ]
        )
        self.ready = True
        return True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> dict[str, Any]:
        """Answer the instances of one call."""
        images = [
            Image.open(io.BytesIO(base64.b64decode(instance["b64"]))).convert("RGB")
            for instance in payload["instances"]
        ]
        with torch.inference_mode():
            probabilities = self.model(torch.stack([self.transform(image) for image in images])).softmax(1)
        scores, classes = probabilities.topk(5)
        return {
            "predictions": [
                {"labels": [self.labels[c] for c in row], "scores": values}
                for row, values in zip(classes.tolist(), scores.tolist(), strict=True)
            ]
        }


if __name__ == "__main__":
    torch.set_num_threads(threads())
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    arguments, _ = parser.parse_known_args()
    predictor = NerPredictor if os.environ["MODEL_KIND"] == "ner" else ImagePredictor
    ModelServer().start([predictor(arguments.model_name)])
