"""Which ResNet a set of weights is, read from the names and shapes of its tensors.

A folder then needs no configuration beside its weights: torchvision's ResNet-18 to 152, the wide
and the ResNeXt variants, and the CIFAR form with a 3x3 stem are all told apart by shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from modelserve.errors import ModelLoadError

_STAGES = (64, 128, 256, 512)


@dataclass(frozen=True)
class Architecture:
    """A torchvision ResNet.

    ``small_stem`` is the CIFAR form: a 3x3 stem of stride 1 and no max pooling, for images of
    about 32 pixels. ``width_per_group`` and ``groups`` are torchvision's, 64 and 1 unless the
    network is wide or a ResNeXt.
    """

    bottleneck: bool
    layers: tuple[int, int, int, int]
    classes: int
    small_stem: bool = False
    groups: int = 1
    width_per_group: int = 64

    @property
    def features(self) -> int:
        """Length of the embedding, the input of the last layer."""
        return 2048 if self.bottleneck else 512

    @property
    def name(self) -> str:
        """The usual name, such as ``resnet50``, counted in weighted layers."""
        depth = sum(self.layers) * (3 if self.bottleneck else 2) + 2
        return f"resnet{depth}"


def infer_architecture(shapes: Mapping[str, tuple[int, ...]]) -> Architecture:
    """Tell the architecture from tensor names and shapes in torchvision's naming.

    Raises:
        ModelLoadError: a tensor is missing, or the shapes are those of no torchvision ResNet.
    """

    def shape(name: str, rank: int) -> tuple[int, ...]:
        found = shapes.get(name)
        if found is None or len(found) != rank:
            raise ModelLoadError(
                f"the weights are no torchvision ResNet: tensor {name} is "
                + ("missing" if found is None else f"of shape {list(found)}")
            )
        return found

    stem, classes = shape("conv1.weight", 4), shape("fc.weight", 2)[0]
    if stem[:2] != (64, 3) or stem[2] != stem[3] or stem[2] not in (3, 7):
        raise ModelLoadError(
            f"the weights' stem conv1.weight is {list(stem)}; "
            "[64, 3, 7, 7] and, for small images, [64, 3, 3, 3] are accepted"
        )
    counts = []
    for stage in range(1, 5):
        pattern = re.compile(rf"layer{stage}\.(\d+)\.conv1\.weight")
        blocks = {int(found[1]) for name in shapes if (found := pattern.fullmatch(name))}
        if not blocks or blocks != set(range(len(blocks))):
            raise ModelLoadError(
                f"the weights are no torchvision ResNet: layer{stage} has blocks {sorted(blocks)}"
            )
        counts.append(len(blocks))
    bottleneck = "layer1.0.conv3.weight" in shapes
    groups, width = 1, 64
    if bottleneck:
        middle = shape("layer1.0.conv2.weight", 4)
        groups = middle[0] // middle[1]
        width = middle[0] // groups
    expected = _STAGES[3] * (4 if bottleneck else 1)
    if shape("fc.weight", 2)[1] != expected:
        raise ModelLoadError(
            f"the weights' fc.weight is {list(shapes['fc.weight'])}; {expected} features are expected"
        )
    return Architecture(
        bottleneck=bottleneck,
        layers=(counts[0], counts[1], counts[2], counts[3]),
        classes=classes,
        small_stem=stem[2] == 3,
        groups=groups,
        width_per_group=width,
    )
