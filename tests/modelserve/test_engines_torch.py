"""The torch engine: devices, precisions, and the check of a low precision."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from modelserve.engines.torch import TorchEngine
from modelserve.errors import ModelLoadError


class Scaled(nn.Module):
    """Two outputs; fp16 cannot hold the second where ``scale`` is large."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 1.001]))
        self.scale = scale

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert mask.dtype == torch.int64
        y = x * self.weight
        return y, y * self.scale / self.scale * mask


def engine(scale: float = 1.0, **arguments: Any) -> TorchEngine:
    return TorchEngine(
        Scaled(scale),
        inputs=("x", "mask"),
        outputs=("first", "second"),
        device="cpu",
        **arguments,
    )


INPUTS = {"x": np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), "mask": np.array([[1, 1], [0, 1]])}


def test_outputs_are_named_and_float32() -> None:
    found = engine().run(INPUTS)
    assert list(found) == ["first", "second"]
    np.testing.assert_allclose(found["first"], INPUTS["x"] * [1, 1.001], rtol=1e-6)
    np.testing.assert_allclose(found["second"], INPUTS["x"] * [1, 1.001] * INPUTS["mask"], rtol=1e-6)
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


def test_read_only_and_strided_inputs() -> None:
    array = np.frombuffer(INPUTS["x"].tobytes(), np.float32).reshape(2, 2)[::-1]
    found = engine().run({"x": array, "mask": INPUTS["mask"]})
    np.testing.assert_allclose(found["first"], INPUTS["x"][::-1] * [1, 1.001], rtol=1e-6)


def test_auto_is_float32_on_a_cpu() -> None:
    assert engine().precision == "fp32"
    assert engine().device == "cpu"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_low_precision_within_the_tolerance_serves(precision: str) -> None:
    lowered = engine(precision=precision, samples=INPUTS)
    assert lowered.precision == precision
    found = lowered.run(INPUTS)["first"]
    assert found.dtype == np.float32
    assert found[0, 1] != np.float32(2.002)  # it did compute in less than float32
    np.testing.assert_allclose(found, INPUTS["x"] * [1, 1.001], rtol=0.01)


def test_a_low_precision_that_overflows_falls_back(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        lowered = engine(scale=1e5, precision="fp16", samples=INPUTS)
    assert lowered.precision == "fp32"
    np.testing.assert_allclose(lowered.run(INPUTS)["first"], INPUTS["x"] * [1, 1.001], rtol=1e-6)
    assert "fp16 differs from fp32" in caplog.text


def test_without_samples_nothing_is_checked() -> None:
    assert engine(scale=1e5, precision="fp16").precision == "fp16"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"precision": "int4"}, "one of auto, fp32, bf16, fp16 is accepted"),
        ({"device": "tpu"}, "auto, cpu, cuda and cuda:N are accepted"),
        ({"device": "mps"}, "auto, cpu, cuda and cuda:N are accepted"),
        ({"device": "cuda:99"}, "is not there"),
    ],
)
def test_unknown_settings_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelLoadError, match=sentence):
        TorchEngine(nn.Identity(), inputs=("x",), outputs=("y",), **({"device": "cpu"} | arguments))
