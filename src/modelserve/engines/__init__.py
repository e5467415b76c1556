"""Engines: arrays in, arrays out, batched; nothing here knows what the arrays mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]


class Engine(Protocol):
    """A model's arithmetic on one device. ``run`` may be called from several threads.

    An engine lives until the last reference to it is gone, and its weights with it.
    """

    @property
    def name(self) -> str:
        """What computes, and in which precision where that is not fp32: ``onnxruntime``, ``torch-bf16``."""
        ...

    @property
    def is_accelerated(self) -> bool:
        """Whether a larger batch takes hardly longer, as on a GPU."""
        ...

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Compute every output for a batch; the first axis of each array is the batch."""
        ...
