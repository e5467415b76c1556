"""How events fall on two revisions whose odds differ: Fisher's noncentral hypergeometric distribution.

Of n calls to the canary and m to the stable revision, t together are events (errors, slow answers, answers of
one label). Given n, m and t, how many of the t are the canary's depends on the ratio of the two revisions'
odds alone, and on no rate: an incident that hits both at once changes t, and says nothing of the canary. With
equal odds it is the hypergeometric distribution of Fisher's exact test; at a ratio of exp(s) the probability
of x is the hypergeometric one times exp(s x - K(s)), with K the hypergeometric's cumulant function, so that
all that is needed is K.

Ratios are kept on a grid of 24ths of doublings, 3% apart, so that evidence about one is a matter of an index.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PER_DOUBLING = 24
STEP = math.log(2) / PER_DOUBLING
"""Between neighbours of the grid, in log odds."""

FARTHEST_NULL = 8 * PER_DOUBLING
"""Ratios of more than 256 are taken for 256 where they are tolerated, and likewise below 1/256."""

FARTHEST = FARTHEST_NULL + PER_DOUBLING

_CHUNK = 2_000_000  # terms of sums at once: 16 MB
_LARGEST_EXPONENT = 300.0  # of e, in what is added up as it is and not by its logarithm


def index_above(ratio: Floats) -> Integers:
    """The grid's first index whose ratio is at least this."""
    return _bounded(np.ceil(_steps(ratio)))


def index_below(ratio: Floats) -> Integers:
    """The grid's last index whose ratio is at most this."""
    return _bounded(np.floor(_steps(ratio)))


def _steps(ratio: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(ratio) / STEP, np.float64)


def _bounded(index: Floats) -> Integers:
    return np.clip(index, -FARTHEST_NULL, FARTHEST_NULL).astype(np.int64)


class Cumulants:
    """K of tables at a range of the grid's ratios: the log of the mean of exp(s X), X of the canary's events.

    It is exact, a sum over all that X may be, done once for tables that are alike.

    Args:
        canary: its calls, of any shape.
        stable: its calls, of the same shape.
        events: of both together, of the same shape.
        first: index of the grid.
        last: index of the grid, with it.
    """

    def __init__(self, canary: Integers, stable: Integers, events: Integers, first: int, last: int) -> None:
        distinct, inverse = _unique(np.stack([canary.ravel(), stable.ravel(), events.ravel()]))
        self._sums = _cumulants(distinct, STEP * np.arange(first, last + 1, dtype=np.float64))
        self._rows = inverse.reshape(canary.shape)
        self._first = first

    def at(self, indices: Integers) -> Floats:
        """K at indices of the grid.

        Args:
            indices: of the tables' shape, and one axis more.
        """
        places = self._rows[..., None] * self._sums.shape[1] + (indices - self._first)
        return np.asarray(self._sums.ravel()[places], np.float64)

    def everywhere(self) -> Floats:
        """K at all ratios of the range, of the tables' shape and one axis more."""
        return self._sums[self._rows]


def _cumulants(distinct: Integers, slopes: Floats) -> Floats:
    low = np.maximum(0, distinct[2] - distinct[1])
    width = np.minimum(distinct[0], distinct[2]) - low + 1
    found = np.empty((distinct.shape[1], slopes.size))
    log_factorials = _log_factorials(int(distinct[:2].sum(axis=0).max(initial=0)))
    order = np.argsort(width, kind="stable")
    start = 0
    while start < order.size:
        stop = start + 1
        # Sums of about one length are done together. The last one's is the greatest.
        while stop < order.size and (stop + 1 - start) * width[order[stop]] * slopes.size <= _CHUNK:
            stop += max(1, (stop - start) // 8)
        rows = order[start : min(stop, order.size)]
        found[rows] = _sums(distinct[:, rows], low[rows], int(width[rows].max()), slopes, log_factorials)
        start = stop
    return found


def _unique(tables: Integers) -> tuple[Integers, Integers]:
    """The distinct columns, and which of them each column is; far faster than over an axis."""
    most = tables.max(axis=1, initial=0) + 1
    if math.prod(int(one) for one in most) >= 2**63:
        return tables, np.arange(tables.shape[1])
    keys, inverse = np.unique((tables[0] * most[1] + tables[1]) * most[2] + tables[2], return_inverse=True)
    rest, events = np.divmod(keys, most[2])
    return np.stack([*np.divmod(rest, most[1]), events]), inverse


def _sums(tables: Integers, low: Integers, width: int, slopes: Floats, log_factorials: Floats) -> Floats:
    canary, stable, events = tables[:, :, None]
    x = low[:, None] + np.arange(width)
    fits = x <= np.minimum(canary, events)
    x = np.where(fits, x, low[:, None])

    def log_choose(whole: Integers, part: Integers) -> Floats:
        ways: Floats = log_factorials[whole] - log_factorials[part] - log_factorials[whole - part]
        return ways

    log_mass = log_choose(canary, x) + log_choose(stable, events - x) - log_choose(canary + stable, events)
    log_mass = np.where(fits, log_mass, -np.inf)
    if np.abs(slopes).max() * width < _LARGEST_EXPONENT:
        # Nothing overflows and nothing that matters vanishes, and a product of matrices is far faster.
        sums = np.log(np.exp(log_mass) @ np.exp(np.arange(width)[:, None] * slopes))
        return np.asarray(sums + low[:, None] * slopes, np.float64)
    terms = log_mass[:, :, None] + x[:, :, None] * slopes
    most = terms.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(terms - most).sum(axis=1)) + most[:, 0], np.float64)


def _log_factorials(most: int) -> Floats:
    return np.concatenate([np.zeros(1), np.cumsum(np.log(np.arange(1, most + 1, dtype=np.float64)))])
