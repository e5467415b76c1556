"""Packs a network's matrices as 8-bit integers with a scale for each row, to half of float16's size.

``x.weight`` holds the integers and ``x.weight_scale`` [rows, 1] what to multiply them by, the names that
compressed-tensors gives them. ``modelserve.engines.weights`` unpacks them for both engines, which
compute in floating point. transformers does not know the layout, of which ``quantization_config`` makes
it warn. Training only: needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

PACKED = ("word_embeddings.weight", "query.weight", "key.weight", "value.weight", "dense.weight")
"""Endings of the names of what is packed: all large matrices. The head and the norms are small."""

QUANTISATION = {"quant_method": "int8-rows"}
"""What ``config.json`` says of it."""


def pack(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Pack the large matrices of a plain ``BertForTokenClassification``; the rest becomes float16."""
    packed: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        if name.endswith(PACKED):
            scale = tensor.abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
            packed[name] = (tensor / scale).round().to(torch.int8)
            packed[f"{name}_scale"] = scale
        else:
            packed[name] = tensor.half().contiguous()
    return packed
