"""How much the density differences of LSDD are smoothed."""

from __future__ import annotations

from typing import Any

import numpy as np

from drift_detector.alibi.library import alibi_detect, old_numpy
from modelserve.drift.table import Column

_SPLITS = 100


def inner_product(similarity: Column, kernel: Any, centers: Any) -> Any:
    """The quadratic form that makes a squared distance of densities of a difference of similarities.

    alibi-detect finds the regularisation in it again for each window, by permutations. Here it is found once,
    by halves of the reference, so that the statistics of all windows are of one measure.

    Args:
        similarity: of the reference with the centres, [n, centres].
        kernel: alibi-detect's, with which it was found.
        centers: of the kernels, [centres, d].

    Returns:
        [centres, centres]; None where too few vectors of the reference differ from each other.
    """
    rng = np.random.default_rng(0)
    halves = [np.array_split(rng.permutation(len(similarity)), 2) for _ in range(_SPLITS)]
    wider = alibi_detect("utils.tensorflow.kernels").GaussianRBF(np.sqrt(2.0) * kernel.sigma)
    try:
        with old_numpy():
            _, inner = alibi_detect("utils.tensorflow.distance").permed_lsdds(
                np.float32(similarity),
                [first for first, _ in halves],
                [second for _, second in halves],
                wider(centers, centers),
            )
    except ValueError:
        return None
    return inner
