"""torchvision's own ResNet module for an architecture; the only place that builds one."""

from __future__ import annotations

from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from resnet_classifier.architecture import Architecture


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
