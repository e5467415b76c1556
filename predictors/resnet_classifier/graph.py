"""A torchvision ResNet as an ONNX graph, straight from its weights.

Batch normalisations are folded into the convolutions before them: at inference both are one
affine map, and the fold is done in float64, so that it loses nothing that float32 holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from modelserve.engines.graph import GraphBuilder, checked
from resnet_classifier.architecture import Architecture

STEM = "conv1"
"""Name of the first convolution."""

HEAD = "logits"
"""Name of the last matrix product, and of the output that it is."""

_EPSILON = 1e-5
"""torch's default for BatchNorm2d, which torchvision's ResNets keep."""


def build_graph(architecture: Architecture, weights: Mapping[str, npt.NDArray[Any]]) -> onnx.ModelProto:
    """Build the graph.

    Its input is ``pixels``, float32 [n, 3, h, w]; its outputs are ``logits``, float32
    [n, classes], and ``embedding``, float32 [n, d], the input of the last layer.

    Args:
        architecture: as ``infer_architecture`` tells it.
        weights: in torchvision's names.

    Raises:
        ModelLoadError: a tensor is missing or of another shape than the architecture's.
    """
    return _ResNetGraph(architecture, weights).build()


class _ResNetGraph:
    def __init__(self, architecture: Architecture, weights: Mapping[str, npt.NDArray[Any]]) -> None:
        self._architecture = architecture
        self._weights = weights
        self._graph = GraphBuilder(architecture.name)

    def build(self) -> onnx.ModelProto:
        graph, shape = self._graph, self._architecture
        pixels = graph.input("pixels", np.float32, ("n", 3, "h", "w"))
        value, channels = self._stem(pixels), 64
        for stage, blocks in enumerate(shape.layers):
            planes = 64 * 2**stage
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                stem = f"layer{stage + 1}.{block}"
                branch, wide = self._branch(value, channels, planes, stride, stem)
                if stride > 1 or channels != wide:
                    value = self._convolution(
                        value, f"{stem}.downsample.0", f"{stem}.downsample.1", channels, wide, 1, stride
                    )
                value = graph.node("Add", [branch, value], name=f"{stem}.sum")
                value, channels = self._relu(value, f"{stem}.out"), wide
        pooled = graph.node("GlobalAveragePool", [value], name="avgpool")
        embedding = graph.node("Flatten", [pooled], name="embedding")
        classes, features = shape.classes, shape.features
        weight = graph.weight("fc.weight", checked(self._weights, "fc.weight", (classes, features)))
        bias = graph.weight("fc.bias", checked(self._weights, "fc.bias", (classes,)))
        graph.node("Gemm", [embedding, weight, bias], name=HEAD, attributes={"transB": 1})
        graph.output(HEAD, np.float32, ("n", classes))
        graph.output("embedding", np.float32, ("n", features))
        return graph.build()

    def _stem(self, pixels: str) -> str:
        small = self._architecture.small_stem
        kernel, stride = (3, 1) if small else (7, 2)
        value = self._relu(self._convolution(pixels, STEM, "bn1", 3, 64, kernel, stride), "stem")
        if small:
            return value
        window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        return self._graph.node("MaxPool", [value], name="maxpool", attributes=window)

    def _branch(
        self, value: str, channels: int, planes: int, stride: int, stem: str
    ) -> tuple[str, int]:
        """The convolutions of one block, without its shortcut; and how many channels they give."""
        shape = self._architecture
        if not shape.bottleneck:
            value = self._convolution(value, f"{stem}.conv1", f"{stem}.bn1", channels, planes, 3, stride)
            value = self._relu(value, f"{stem}.relu1")
            return self._convolution(value, f"{stem}.conv2", f"{stem}.bn2", planes, planes, 3, 1), planes
        width, wide = planes * shape.width_per_group // 64 * shape.groups, planes * 4
        value = self._convolution(value, f"{stem}.conv1", f"{stem}.bn1", channels, width, 1, 1)
        value = self._relu(value, f"{stem}.relu1")
        value = self._convolution(
            value, f"{stem}.conv2", f"{stem}.bn2", width, width, 3, stride, groups=shape.groups
        )
        value = self._relu(value, f"{stem}.relu2")
        return self._convolution(value, f"{stem}.conv3", f"{stem}.bn3", width, wide, 1, 1), wide

    def _convolution(
        self,
        value: str,
        name: str,
        norm: str,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        *,
        groups: int = 1,
    ) -> str:
        """A convolution and the batch normalisation that follows it, as one."""
        shape = (outputs, inputs // groups, kernel, kernel)
        weight = checked(self._weights, f"{name}.weight", shape).astype(np.float64)
        gain, shift, mean, variance = (
            checked(self._weights, f"{norm}.{part}", (outputs,)).astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / np.sqrt(variance + _EPSILON)
        folded = (weight * scale[:, None, None, None]).astype(np.float32)
        bias = (shift - mean * scale).astype(np.float32)
        constants = [
            self._graph.weight(f"{name}.weight", folded),
            self._graph.weight(f"{name}.bias", bias),
        ]
        attributes = {
            "kernel_shape": [kernel, kernel],
            "strides": [stride, stride],
            "pads": [kernel // 2] * 4,
            "group": groups,
        }
        return self._graph.node("Conv", [value, *constants], name=name, attributes=attributes)

    def _relu(self, value: str, name: str) -> str:
        return self._graph.node("Relu", [value], name=name)
