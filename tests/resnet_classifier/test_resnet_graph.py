"""The ONNX graph and the torch module answer as torchvision's own ResNets do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models
from torchvision.models.resnet import Bottleneck, ResNet

from modelserve.errors import ModelLoadError
from resnet_classifier.architecture import Architecture
from resnet_classifier.engine import is_resnet, load_engine
from resnet_classifier.network import build_network


def small_stem() -> Any:
    return build_network(Architecture(bottleneck=False, layers=(1, 1, 1, 1), classes=10, small_stem=True))


def shallow(**widths: int) -> Any:
    """The blocks of a deeper network, one in each stage, which is all that its graph repeats."""
    return ResNet(Bottleneck, [1, 1, 1, 1], num_classes=7, **widths)


MODELS = {
    "resnet18": lambda: models.resnet18(num_classes=7),
    "resnet50": lambda: models.resnet50(num_classes=7),
    "resnext50_32x4d": lambda: shallow(groups=32, width_per_group=4),
    "wide_resnet50_2": lambda: shallow(width_per_group=128),
    "small-stem": small_stem,
}


STATISTICS = (
    ("running_mean", -0.3, 0.3),
    ("running_var", 0.5, 2.0),
    ("weight", 0.4, 1.2),
    ("bias", -0.3, 0.3),
)


def randomise(network: Any) -> Any:
    """Give the normalisations statistics and gains that matter."""
    torch.manual_seed(11)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for name, low, high in STATISTICS:
                nn.init.uniform_(getattr(module, name), low, high)
    return network.eval()


def save(network: nn.Module, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in network.state_dict().items()}
    save_file(state, folder / "model.safetensors")


def expected_outputs(network: Any, pixels: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], ...]:
    embeddings: list[torch.Tensor] = []
    network.fc.register_forward_hook(lambda module, inputs, output: embeddings.append(inputs[0]))
    with torch.inference_mode():
        logits = network(torch.from_numpy(pixels))
    return logits.numpy(), embeddings[0].numpy()


def assert_near(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any], share: float = 1e-3) -> None:
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=share * np.abs(expected).max())


@pytest.mark.parametrize("name", MODELS)
def test_both_engines_answer_as_torchvision(tmp_path: Path, name: str) -> None:
    network = randomise(MODELS[name]())
    save(network, tmp_path)
    # Two sizes, neither square nor a multiple of 32, through one engine: the axes are free.
    onnx, onnx_digest = load_engine(tmp_path, engine="onnx", threads=2)
    module, torch_digest = load_engine(tmp_path, engine="torch", threads=2, device="cpu")
    assert onnx_digest == torch_digest
    for shape in ((2, 3, 70, 45), (1, 3, 32, 64)):
        pixels = np.random.default_rng(1).standard_normal(shape, np.float32)
        logits, embedding = expected_outputs(network, pixels)
        for engine in (onnx, module):
            found = engine.run({"pixels": pixels})
            assert_near(found["logits"], logits)
            assert_near(found["embedding"], embedding)


def test_the_graph_holds_no_normalisation(tmp_path: Path) -> None:
    from resnet_classifier.engine import build_graph

    save(randomise(small_stem()), tmp_path)
    operators = {node.op_type for node in build_graph(tmp_path).skeleton.graph.node}
    assert operators == {"Conv", "Relu", "Add", "GlobalAveragePool", "Flatten", "Gemm"}


def test_a_half_precision_file_without_counters(tmp_path: Path) -> None:
    network = randomise(small_stem())
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.half().float()
    state = {k: v.half() for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    save_file(state, tmp_path / "model.safetensors")
    pixels = np.random.default_rng(1).standard_normal((1, 3, 32, 32), np.float32)
    logits, _ = expected_outputs(network, pixels)
    for name in ("onnx", "torch"):
        engine, _ = load_engine(tmp_path, engine=name, device="cpu")
        assert_near(engine.run({"pixels": pixels})["logits"], logits)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("change", ["missing", "shape"])
def test_weights_of_no_resnet_are_refused(tmp_path: Path, engine: str, change: str) -> None:
    state = dict(small_stem().state_dict())
    del state["layer3.0.bn2.running_var"]
    if change == "shape":
        state["layer3.0.bn2.running_var"] = torch.ones(255)
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ModelLoadError, match=r"layer3\.0\.bn2\.running_var"):
        load_engine(tmp_path, engine=engine, device="cpu")


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_relative_with_more_layers_is_refused(tmp_path: Path, engine: str) -> None:
    state = {**small_stem().state_dict(), "layer1.0.se.weight": torch.ones(64)}
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ModelLoadError, match=r"hold layer1\.0\.se\.weight besides"):
        load_engine(tmp_path, engine=engine, device="cpu")


def test_which_folders_are_this_units(tmp_path: Path) -> None:
    assert not is_resnet(tmp_path)
    save(small_stem(), tmp_path)
    assert is_resnet(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert not is_resnet(tmp_path)
