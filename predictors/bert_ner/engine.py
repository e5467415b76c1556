"""Loads a BERT token classifier's folder on either engine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bert_ner.config import BertConfig
from modelserve.engines import Arrays, loading

if TYPE_CHECKING:
    from torch import nn

    from modelserve.engines.graph import Graph


def build_graph(model_dir: Path) -> Graph:
    """Convert the folder's weights to a graph."""
    from bert_ner import graph  # noqa: PLC0415  # onnx
    from modelserve.engines.weights import read_weights  # noqa: PLC0415

    return graph.build_graph(BertConfig.load(model_dir), read_weights(model_dir))


def build_module(model_dir: Path) -> nn.Module:
    """Load the folder's weights into transformers' module."""
    from bert_ner.network import load_network  # noqa: PLC0415  # torch, transformers

    return load_network(model_dir)


def make_samples(model_dir: Path) -> Arrays:
    """Random pieces: four windows of up to 64, padded to different lengths."""
    config, random = BertConfig.load(model_dir), np.random.default_rng(0)
    length = min(64, config.max_positions)
    ids = random.integers(0, config.vocab_size, (4, length))
    lengths = np.linspace(length, 1, len(ids)).astype(np.int64)[:, None]
    return {"input_ids": ids, "attention_mask": (np.arange(length) < lengths).astype(np.int64)}


KIND = loading.ModelKind(
    inputs=("input_ids", "attention_mask"),
    outputs=("logits",),
    build_graph=build_graph,
    build_module=build_module,
    samples=make_samples,
)

load_engine = partial(loading.load_engine, KIND)
"""Load a folder, as ``modelserve.engines.loading.load_engine`` does.

The engine is from ``input_ids`` and ``attention_mask``, int64 [n, t], to ``logits``, float32
[n, t, labels].
"""
