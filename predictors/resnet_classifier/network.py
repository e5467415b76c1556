"""torchvision's own ResNet module for an architecture; the only place that builds one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from modelserve.engines.weights import read_weights
from modelserve.errors import ModelLoadError
from resnet_classifier.architecture import Architecture, infer_architecture


def build_network(architecture: Architecture) -> ResNet:
    """Make the torchvision module, with fresh random weights."""
    network = ResNet(
        Bottleneck if architecture.bottleneck else BasicBlock,
        list(architecture.layers),
        num_classes=architecture.classes,
        groups=architecture.groups,
        width_per_group=architecture.width_per_group,
    )
    if architecture.small_stem:
        network.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        network.maxpool = nn.Identity()
    return network


class Classifier(nn.Module):
    """A ResNet that gives away the input of its last layer too."""

    def __init__(self, network: ResNet) -> None:
        super().__init__()
        self.head = network.fc
        network.fc = nn.Identity()
        self.body = network

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """From normalised pixels [n, 3, h, w] to logits [n, classes] and embedding [n, d]."""
        embedding = self.body(pixels)
        return self.head(embedding), embedding


def load_network(model_dir: Path) -> Classifier:
    """Build the module of a folder, in float32 and on the CPU.

    Raises:
        ModelLoadError: the weights cannot be read, or are those of no torchvision ResNet.
    """
    weights = read_weights(model_dir)
    architecture = infer_architecture({name: tensor.shape for name, tensor in weights.items()})
    network = build_network(architecture)
    try:
        found = network.load_state_dict(
            {name: torch.from_numpy(tensor) for name, tensor in weights.items()}, strict=False
        )
    except RuntimeError as error:  # a shape that is not the architecture's
        raise ModelLoadError(f"{model_dir}: the weights are not those of a ResNet: {error}") from error
    # Half-precision files leave the counters out, which inference does not use.
    missing = [name for name in found.missing_keys if not name.endswith("num_batches_tracked")]
    if missing or found.unexpected_keys:
        raise ModelLoadError(
            f"{model_dir}: the weights are not those of {architecture.name}: they "
            + (f"lack {missing[0]}" if missing else f"hold {found.unexpected_keys[0]} besides")
        )
    # Convolutions over channels that lie side by side are quicker on CPUs and GPUs alike.
    return Classifier(network.eval().to(memory_format=torch.channels_last))
