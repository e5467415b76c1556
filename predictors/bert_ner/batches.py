"""Sequences side by side, as the engine takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bert_ner.tokenizer import SpecialIds
from modelserve.engines import Arrays


def make_batch(sequences: Sequence[Sequence[int]], special: SpecialIds) -> Arrays:
    """Put sequences between their special pieces, side by side, filled up to the longest.

    Returns:
        ``input_ids`` and ``attention_mask``, int64 [n, longest + 2].
    """
    ids = np.full((len(sequences), max(map(len, sequences)) + 2), special.pad, np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        pieces = [special.start, *sequence, special.end]
        ids[row, : len(pieces)] = pieces
        mask[row, : len(pieces)] = 1
    return {"input_ids": ids, "attention_mask": mask}
