"""A torchvision ResNet as an ONNX graph, straight from its weights.

Batch normalisations are folded into the convolutions before them: at inference both are one
affine map, and the fold is done in float64, so that it loses nothing that float32 holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from modelserve.engines.graph import Graph, GraphBuilder, checked
from modelserve.errors import ModelLoadError
from resnet_classifier.architecture import Architecture

STEM = "conv1"
"""Name of the first convolution."""

HEAD = "logits"
"""Name of the last matrix product, and of the output that it is."""

_EPSILON = 1e-5
"""torch's default for BatchNorm2d, which torchvision's ResNets keep."""


def build_graph(architecture: Architecture, weights: Mapping[str, npt.NDArray[Any]]) -> Graph:
    """Build the graph.

    Its input is ``pixels``, float32 [n, 3, h, w]; its outputs are ``logits``, float32
    [n, classes], and ``embedding``, float32 [n, d], the input of the last layer.

    Args:
        architecture: as ``infer_architecture`` tells it.
        weights: in torchvision's names.

    Raises:
        ModelLoadError: a tensor is missing, of another shape than the architecture's, or unknown.
    """
    return _ResNetGraph(architecture, weights).build()


class _ResNetGraph:
    def __init__(self, architecture: Architecture, weights: Mapping[str, npt.NDArray[Any]]) -> None:
        self._architecture = architecture
        self._weights = weights
        self._unused = {name for name in weights if not name.endswith("num_batches_tracked")}
        self._graph = GraphBuilder(architecture.name)

    def build(self) -> Graph:
        graph, shape = self._graph, self._architecture
        pixels = graph.input("pixels", np.float32, ("n", 3, "h", "w"))
        value, channels = self._stem(pixels), 64
        for stage, blocks in enumerate(shape.layers):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                value, channels = self._block(
                    value, f"layer{stage + 1}.{block}", channels, 64 * 2**stage, stride=stride
                )
        pooled = graph.node("GlobalAveragePool", [value], name="avgpool")
        embedding = graph.node("Flatten", [pooled], name="embedding")
        weight = graph.weight("fc.weight", self._tensor("fc.weight", shape.classes, shape.features))
        bias = graph.weight("fc.bias", self._tensor("fc.bias", shape.classes))
        graph.node("Gemm", [embedding, weight, bias], name=HEAD, attributes={"transB": 1})
        graph.output(HEAD, np.float32, ("n", shape.classes))
        graph.output("embedding", np.float32, ("n", shape.features))
        if self._unused:
            # A relative with other layers besides would run, and answer nonsense.
            raise ModelLoadError(
                f"the weights are not those of {shape.name}: they hold {min(self._unused)} besides"
            )
        return graph.build()

    def _stem(self, pixels: str) -> str:
        if self._architecture.small_stem:
            return self._relu(self._convolution(pixels, STEM, (64, 3, 3), norm="bn1"), "stem")
        value = self._relu(self._convolution(pixels, STEM, (64, 3, 7), norm="bn1", stride=2), "stem")
        window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        return self._graph.node("MaxPool", [value], name="maxpool", attributes=window)

    def _block(self, value: str, stem: str, channels: int, planes: int, *, stride: int) -> tuple[str, int]:
        """A residual block; the value that it gives, and how many channels that has."""
        shape = self._architecture
        if shape.bottleneck:
            # torchvision puts the stride on the middle convolution.
            width, wide = planes * shape.width_per_group // 64 * shape.groups, planes * 4
            layers = [
                ((width, channels, 1), {}),
                ((width, width, 3), {"stride": stride, "groups": shape.groups}),
                ((wide, width, 1), {}),
            ]
        else:
            wide = planes
            layers = [((planes, channels, 3), {"stride": stride}), ((planes, planes, 3), {})]
        branch = value
        for number, (sizes, options) in enumerate(layers, start=1):
            branch = self._convolution(
                branch, f"{stem}.conv{number}", sizes, norm=f"{stem}.bn{number}", **options
            )
            if number < len(layers):
                branch = self._relu(branch, f"{stem}.relu{number}")
        if stride > 1 or channels != wide:
            shortcut = f"{stem}.downsample"
            value = self._convolution(
                value, f"{shortcut}.0", (wide, channels, 1), norm=f"{shortcut}.1", stride=stride
            )
        total = self._graph.node("Add", [branch, value], name=f"{stem}.sum")
        return self._relu(total, f"{stem}.out"), wide

    def _convolution(
        self,
        value: str,
        name: str,
        sizes: tuple[int, int, int],
        *,
        norm: str,
        stride: int = 1,
        groups: int = 1,
    ) -> str:
        """A convolution and the batch normalisation that follows it, as one.

        ``sizes`` are the channels that it gives and takes, and the side of its kernel.
        """
        outputs, inputs, kernel = sizes
        weight = self._tensor(f"{name}.weight", outputs, inputs // groups, kernel, kernel)
        gain, shift, mean, variance = (
            self._tensor(f"{norm}.{part}", outputs).astype(np.float64)
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

    def _tensor(self, name: str, *shape: int) -> npt.NDArray[np.float32]:
        self._unused.discard(name)
        return checked(self._weights, name, shape)
