"""The cards' figures on what training never saw, for whoever has the data (``MODELSERVE_DATA``)."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bert_ner.config import BertConfig
from bert_ner.corpora import read_wikigold, split_documents
from bert_ner.engine import load_engine as load_bert
from bert_ner.inference import NerTask
from bert_ner.scoring import Score, gold_spans, score_spans
from bert_ner.tokenizer import load_tokenizer
from bert_ner.train import HELD_OUT_SHARE
from modelserve.engines import Engine
from modelserve.protocol.messages import InferenceRequest, Tensor, bytes_array
from modelserve.task import Limits
from resnet_classifier.engine import load_engine as load_resnet
from resnet_classifier.inference import ResNetTask
from resnet_classifier.preprocess import Preprocess

ROOT = Path(__file__).parents[2]
NER, RESNET = ROOT / "samples" / "bert-ner", ROOT / "samples" / "resnet-classifier"
DATA = Path(os.environ.get("MODELSERVE_DATA", ""))
EVERY = 8  # of the test images, to keep the test short

pytestmark = pytest.mark.skipif(
    not (DATA / "ner" / "wikigold.conll").exists(),
    reason="MODELSERVE_DATA names no folder with ner/wikigold.conll and cifar10.zip",
)


class Recorder:
    """An engine that keeps its answers' best labels, those of padding left out."""

    is_accelerated = False

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self._engine = engine
        self.labels: list[int] = []

    def run(self, inputs: Any) -> dict[str, Any]:
        outputs = self._engine.run(inputs)
        best = outputs["logits"].argmax(-1)
        mask = inputs.get("attention_mask")
        self.labels += (best if mask is None else best[mask == 1]).tolist()
        return outputs


def assert_agree(labels: Sequence[Sequence[int]]) -> None:
    onnx, torch = map(np.array, labels)
    assert len(onnx) == len(torch) > 500
    assert (onnx == torch).mean() >= 0.99


def test_names_in_documents_that_were_held_out() -> None:
    _, held_out = split_documents(read_wikigold(DATA / "ner"), HELD_OUT_SHARE)
    sentences = [sentence for document in held_out for sentence in document]
    texts = [" ".join(sentence.tokens) for sentence in sentences]
    labels = []
    for name in ("onnx", "torch"):
        engine, digest = load_bert(NER, engine=name)
        recorder = Recorder(engine)
        config = BertConfig.load(NER)
        task = NerTask(recorder, load_tokenizer(NER), config, digest=digest, limits=Limits())
        found = [{(e["type"], e["start"], e["end"]) for e in entities} for entities in task.run(texts)]
        scores = score_spans([gold_spans(sentence) for sentence in sentences], found)
        assert sum(scores.values(), Score(0, 0, 0)).f1 >= 0.75
        labels.append(recorder.labels)
    assert_agree(labels)


def test_photographs_of_the_test_split() -> None:
    with zipfile.ZipFile(DATA / "cifar10.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.startswith("test/") and n.endswith(".jpg"))
        names = names[::EVERY]
        images = [archive.read(name) for name in names]
    expected = [name.split("/")[1] for name in names]
    labels = []
    for kind in ("onnx", "torch"):
        engine, digest = load_resnet(RESNET, engine=kind)
        recorder = Recorder(engine)
        limits = Limits(batch=len(images))
        task = ResNetTask(recorder, Preprocess.load(RESNET), RESNET, digest=digest, limits=limits)
        tensor = Tensor("image", "BYTES", bytes_array(images, (len(images),)))
        request = InferenceRequest("resnet-classifier", (tensor,), parameters={"top_k": 1})
        call = task.decode(request)
        answer = task.encode(task.run(call.items), call, request)
        found = [label.decode() for label in answer[0].array[:, 0]]
        assert np.mean([f == e for f, e in zip(found, expected, strict=True)]) >= 0.88
        labels.append(recorder.labels)
    assert_agree(labels)
