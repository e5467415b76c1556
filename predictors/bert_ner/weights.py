"""A folder's weights under the names of today's ``BertForTokenClassification``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from modelserve.errors import ModelLoadError

_OLD_NORMS = {"gamma": "weight", "beta": "bias"}
_UNUSED = re.compile(r"bert\.(pooler\.|embeddings\.(position_ids|token_type_ids)$)|cls\.")
"""What a token classifier does not compute with: the pooler, pretraining heads and buffers."""


def canonical_names(
    weights: Mapping[str, npt.NDArray[Any]],
) -> dict[str, npt.NDArray[Any]]:
    """Rename the tensors of older checkpoints, and drop those that are not computed with.

    Accepted are names with or without the prefix ``bert.``, and ``gamma`` and ``beta`` of layer
    normalisations, as the first checkpoints had them.

    Raises:
        ModelLoadError: there is no token-classification head.
    """
    renamed = {}
    for name, tensor in weights.items():
        stem, dot, last = name.rpartition(".")
        new = f"{stem}{dot}{_OLD_NORMS.get(last, last)}"
        if not new.startswith(("bert.", "classifier.", "cls.")):
            new = f"bert.{new}"
        if not _UNUSED.match(new):
            renamed[new] = tensor
    if "classifier.weight" not in renamed or "classifier.bias" not in renamed:
        raise ModelLoadError(
            "the weights have no token-classification head (classifier.weight and classifier.bias); "
            "a fine-tuned BertForTokenClassification is accepted"
        )
    return renamed
