"""Loads a torchvision ResNet's folder on either engine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelserve.engines import Arrays, loading
from modelserve.engines.weights import find_weights, read_weights
from modelserve.errors import ModelLoadError
from resnet_classifier.architecture import infer_architecture
from resnet_classifier.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn

    from modelserve.engines.graph import Graph


def is_resnet(model_dir: Path) -> bool:
    """Whether the folder may hold one: weights, and no configuration of another kind of model."""
    if (model_dir / "config.json").exists():
        return False
    try:
        return (model_dir / loading.GRAPH).is_file() or find_weights(model_dir).is_file()
    except ModelLoadError:
        return False


def build_graph(model_dir: Path) -> Graph:
    """Convert the folder's weights to a graph."""
    from resnet_classifier import graph  # noqa: PLC0415  # onnx

    weights = read_weights(model_dir)
    shapes = {name: tensor.shape for name, tensor in weights.items()}
    return graph.build_graph(infer_architecture(shapes), weights)


def build_module(model_dir: Path) -> nn.Module:
    """Load the folder's weights into torchvision's module."""
    from resnet_classifier.network import load_network  # noqa: PLC0415  # torch, torchvision

    return load_network(model_dir)


def make_samples(model_dir: Path) -> Arrays:
    """Noise, as two images of the size that the folder's preprocessing makes."""
    side = Preprocess.load(model_dir).crop
    pixels = np.random.default_rng(0).standard_normal((2, 3, side, side), np.float32)
    return {"pixels": pixels}


KIND = loading.ModelKind(
    inputs=("pixels",),
    outputs=("logits", "embedding"),
    build_graph=build_graph,
    build_module=build_module,
    samples=make_samples,
)

load_engine = partial(loading.load_engine, KIND)
"""Load a folder, as ``modelserve.engines.loading.load_engine`` does.

The engine is from ``pixels``, float32 [n, 3, h, w], to ``logits``, float32 [n, classes], and
``embedding``, float32 [n, d].
"""
