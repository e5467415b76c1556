"""Which sequences the engine computes together: similar lengths, under a budget of pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bert_ner.tokenizer import SpecialIds
from modelserve.engines import Arrays

PIECES_PER_BATCH = 8192
"""Most pieces, filling included, in one engine call: sixteen windows of BERT's 512.

Enough to fill a GPU, and on a CPU past the point where a larger batch is any faster, while the
attention of twelve heads stays at about 200 MB.
"""

_LEAST_FILLED = 0.5
"""A sequence shorter than this share of the longest goes to another batch: filling costs time."""


def plan_batches(lengths: Sequence[int], *, budget: int = PIECES_PER_BATCH) -> list[list[int]]:
    """Group sequences, longest first, so that little is filled up.

    Args:
        lengths: pieces of each sequence.
        budget: most pieces of a batch, filling included; a longer sequence is computed alone.

    Returns:
        Batches of indices into ``lengths``; each index is in one batch.
    """
    batches: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if (
            not batches
            or (len(batches[-1]) + 1) * longest > budget
            or lengths[index] < longest * _LEAST_FILLED
        ):
            batches.append([])
            longest = lengths[index]
        batches[-1].append(index)
    return batches


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
