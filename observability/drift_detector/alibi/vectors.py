"""Vectors as kernels take them: not too many, finite, and measured by a width of their own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist

from modelserve.drift.table import Column

MOST_VECTORS = 500
"""Of a sample; kernels are of all pairs of them."""


def thinned(sample: Column) -> Column:
    """At most ``MOST_VECTORS`` rows, the same ones each time, in their order."""
    if len(sample) <= MOST_VECTORS:
        return sample
    chosen = np.random.default_rng(0).choice(len(sample), MOST_VECTORS, replace=False)
    return sample[np.sort(chosen)]


def finite(sample: Column) -> Column:
    """As float32, with nothing so large that its square is infinite there."""
    return np.clip(sample, -1e15, 1e15).astype(np.float32)


def width(sample: Column) -> npt.NDArray[np.float32]:
    """Of a Gaussian kernel: alibi-detect's, by the median distance within a sample, of vectors that differ.

    Where most vectors are repetitions their median distance is none, and so would be the kernel's width.
    Where all are, it is a hundredth of their length: only rounding is nearer, and all else is far.

    Args:
        sample: float32 [n, d].

    Returns:
        float32 [1].
    """
    squared = pdist(sample.astype(np.float64), "sqeuclidean")
    apart = squared[squared > 0]
    if not len(apart):
        return np.array([0.01 * (np.linalg.norm(sample[0]) or 1.0)], np.float32)
    place = (len(apart) - 1) // 2
    return np.array([np.sqrt(np.partition(apart, place)[place] / 2)], np.float32)
