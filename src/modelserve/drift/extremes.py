"""Which inputs of a window lie farthest from the baseline: what a person should look at first."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from modelserve.drift.table import Column, Kind, Table


def farthest(window: Table, baseline: Table, names: Iterable[str], most: int) -> list[int]:
    """The places in the window of the samples that are least like the baseline's.

    Each feature says how seldom the baseline has a value so far out; a sample's score is the sum of those
    surprises (negative logarithms), so that it takes part of every feature named.

    Args:
        window: whose samples are ranked.
        baseline: what they are measured by.
        names: of the features that count, in both tables.
        most: places to give, the farthest first.
    """
    score = np.zeros(window.size)
    for name in names:
        if name in window.kinds:
            known = baseline.known(name, window.kinds[name])
            if len(known):
                score += _surprise(window.columns[name], known, window.kinds[name])
    ranked = np.argsort(-score, kind="stable")[:most]
    return [int(place) for place in ranked if score[place] > 0]


def _surprise(values: Column, known: Column, kind: Kind) -> npt.NDArray[np.float64]:
    """Of each value: 0 where it cannot be told."""
    if kind is Kind.VECTOR:
        centre = known.mean(axis=0)
        distances = np.linalg.norm(values - centre, axis=1).astype(np.float64)
        return _tail(distances, np.linalg.norm(known - centre, axis=1).astype(np.float64), both=False)
    if kind is Kind.NUMBER:
        return _tail(values, known, both=True)
    # How often the baseline has just this value, as if it had been seen once more.
    kinds, counts = np.unique(known, return_counts=True)
    often = dict(zip(kinds.tolist(), counts.tolist(), strict=True))
    shares = np.array([(often.get(value, 0) + 1) / (len(known) + 1) for value in values.tolist()])
    surprise: npt.NDArray[np.float64] = -np.log(shares)
    if kind is Kind.CATEGORY:
        surprise[values == ""] = 0.0
    return surprise


def _tail(values: Column, known: Column, *, both: bool) -> npt.NDArray[np.float64]:
    """How seldom a value is at least this far out, above or (``both``) below."""
    ordered, size = np.sort(known), len(known)
    above = size - np.searchsorted(ordered, values, side="left")
    share = (above + 1) / (size + 1)
    if both:
        below = np.searchsorted(ordered, values, side="right")
        share = np.minimum(1.0, 2 * np.minimum(share, (below + 1) / (size + 1)))
    surprise: npt.NDArray[np.float64] = -np.log(share)
    surprise[np.isnan(values)] = 0.0
    return surprise
