"""Thresholds of the online detector, for many simulated streams at once.

The thresholds are those of Cobb, Van Looveren and Klaise (2022), as in alibi-detect: streams are drawn from
the reference, and at each of the first steps those are left out that have raised an alarm before.
alibi-detect simulates them one by one in TensorFlow, 1,000 in a minute, which is enough for an expected run
time of a hundred samples. With arrays 25,000 take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_AT_ONCE = 500


def mmd_thresholds(kernel: Floats, window: int, *, run_time: float, streams: int) -> list[float]:
    """Thresholds for the first ``window`` steps; the last holds from then on.

    Args:
        kernel: of the reference with itself, [n, n].
        window: samples in the test window.
        run_time: the expected one, in samples.
        streams: that are simulated.
    """
    kernel = kernel - np.diag(np.diag(kernel))
    columns, rest = kernel.sum(axis=0), len(kernel) - (2 * window - 1)
    statistics = np.empty((streams, window))
    for first, drawn in _drawn(len(kernel), window, streams):
        within = kernel[drawn[:, :, None], drawn[:, None, :]]
        across = columns[drawn] - within.sum(axis=1)
        of_rest = kernel.sum() - within.sum(axis=(1, 2)) - 2 * across.sum(axis=1)
        for at in range(window):
            test = slice(at, at + window)
            statistics[first : first + len(drawn), at] = (
                of_rest / (rest * (rest - 1))
                + within[:, test, test].sum(axis=(1, 2)) / (window * (window - 1))
                - 2 * across[:, test].sum(axis=1) / (rest * window)
            )
    return _thresholds(statistics, run_time)


def _drawn(size: int, window: int, streams: int) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """The number of the first of some streams, and their places in the reference, none twice in a stream.

    Places are [streams at once, 2 window - 1].
    """
    rng = np.random.default_rng(0)
    for first in range(0, streams, _AT_ONCE):
        shuffled = rng.random((min(_AT_ONCE, streams - first), size)).argsort(axis=1)
        yield first, shuffled[:, : 2 * window - 1]


def _thresholds(statistics: Floats, run_time: float) -> list[float]:
    """Of statistics [streams, steps]: passed at each by one in ``run_time`` of the streams that are left."""
    thresholds = []
    for step in range(statistics.shape[1]):
        thresholds.append(float(np.quantile(statistics[:, step], 1 - 1 / run_time)))
        statistics = statistics[statistics[:, step] < thresholds[-1]]
    return thresholds
