"""torch, on CUDA or a CPU, in the precision that the device is good at."""

from __future__ import annotations

import copy
import logging
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from modelserve.engines import Arrays, Engine
from modelserve.engines.cores import available_cores
from modelserve.errors import ModelLoadError

logger = logging.getLogger(__name__)

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

TOLERANCE = 0.05
"""Largest deviation of a half-precision output, as a share of float32's largest value.

bfloat16 keeps eight bits; rounding in a dozen layers costs one or two per cent, while a network
that overflows or cancels is off by far more.
"""


class TorchEngine:
    """``modelserve.engines.Engine`` on a torch module.

    Where the precision is not fp32 and ``samples`` are given, they are computed in float32 too;
    if the answers differ by more than ``TOLERANCE``, a warning is logged and float32 serves.

    Args:
        module: takes the inputs as positional arguments, and gives a tensor or a tuple of them;
            its weights are float32. It belongs to the engine from now on.
        inputs: names of the module's arguments, in order.
        outputs: names of what it gives, in order.
        device: ``auto`` (CUDA where there is some), ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto`` (on CUDA bf16, or fp16 where the device lacks it; else fp32), or one of
            ``PRECISIONS``.
        threads: that compute one batch on a CPU, in the whole process; 0 takes the container's cores.
        samples: inputs to check a lower precision with.

    Raises:
        ModelLoadError: the device or the precision is unknown or not there.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        device: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        samples: Arrays | None = None,
    ) -> None:
        self._inputs, self._outputs = inputs, outputs
        self._device = _find_device(device)
        self._dtype = _find_dtype(precision, self._device)
        if self._device.type == "cpu":
            torch.set_num_threads(threads or available_cores())
        try:
            self._module = module.eval().to(self._device)
        except RuntimeError as error:  # no such device, or its memory is full
            raise ModelLoadError(f"the weights cannot be put on {self._device}: {error}") from error
        if self._dtype is not torch.float32:
            self._lower(self._module, samples)

    @property
    def name(self) -> str:
        """``torch``, with the precision where it is not fp32: ``torch-bf16``."""
        return "torch" if self._dtype is torch.float32 else f"torch-{self.precision}"

    @property
    def precision(self) -> str:
        """The precision that serves: fp32, bf16 or fp16."""
        return next(name for name, dtype in PRECISIONS.items() if dtype is self._dtype)

    @property
    def is_accelerated(self) -> bool:
        """Whether it computes on CUDA."""
        return self._device.type == "cuda"

    @property
    def device(self) -> str:
        """Where the weights are, such as ``cuda:0``."""
        return str(self._device)

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Compute every output for a batch, as float32 whatever the precision."""
        with torch.inference_mode():
            computed = self._module(*(self._to_tensor(inputs[name]) for name in self._inputs))
            tensors = computed if isinstance(computed, tuple) else (computed,)
            # One cast on the device: numpy has no bfloat16.
            arrays = [tensor.float().cpu().numpy() for tensor in tensors]
        return dict(zip(self._outputs, arrays, strict=True))

    def _to_tensor(self, array: npt.NDArray[Any]) -> torch.Tensor:
        # Arrays that view a request's body are read-only, which torch warns of; those are copied.
        tensor = torch.from_numpy(np.require(array, requirements=["C", "W"]))
        return tensor.to(self._device, self._dtype if tensor.is_floating_point() else None)

    def _lower(self, full: nn.Module, samples: Arrays | None) -> None:
        """Serve in the low precision, unless the samples tell that it does not do."""
        dtype = self._dtype
        if samples is None:
            self._module = full.to(dtype)
            return
        self._dtype = torch.float32
        reference = self.run(samples)
        self._module, self._dtype = copy.deepcopy(full).to(dtype), dtype
        deviation = relative_deviation(self, reference, samples)
        if not deviation <= TOLERANCE:  # NaN is no answer either
            logger.warning(
                "%s differs from fp32 by %.3g of the largest output, more than %.3g: fp32 serves",
                self.precision,
                deviation,
                TOLERANCE,
            )
            self._module, self._dtype = full, torch.float32


def relative_deviation(engine: Engine, reference: Arrays, inputs: Arrays) -> float:
    """Largest deviation of an engine's outputs, each as a share of the reference's largest value.

    Args:
        engine: to be judged.
        reference: what it should answer.
        inputs: what it is asked.

    Returns:
        0 for equal outputs; NaN where an output is.
    """
    found = engine.run(inputs)
    shares = [
        np.abs(found[name] - expected).max() / max(np.abs(expected).max(), 1e-12)
        for name, expected in reference.items()
    ]
    return float(np.max(shares))  # unlike max(), it does not lose a NaN


def _find_device(device: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise ModelLoadError(f"device {device!r} is unknown; auto, cpu, cuda and cuda:N are accepted")
    found = torch.device(device)
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ModelLoadError(
            f"device {device!r} is not there: torch sees {torch.cuda.device_count()} CUDA devices"
        )
    return found


def _find_dtype(precision: str, device: torch.device) -> torch.dtype:
    if precision == "auto":
        if device.type != "cuda":
            return torch.float32
        # Emulated bfloat16, on devices before Ampere, is slower than float32.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    if precision not in PRECISIONS:
        raise ModelLoadError(
            f"precision {precision!r} is unknown; one of auto, {', '.join(PRECISIONS)} is accepted"
        )
    return PRECISIONS[precision]
