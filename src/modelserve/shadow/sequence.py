"""A confidence sequence: bounds of a share that hold at every look, not at one that was fixed before.

A report that is read again and again until it says something needs this. An interval of 95% for one look
misses far more often than once in twenty when whoever looks may stop as it pleases him.

It is Robbins' method of mixtures for a Bernoulli mean (Robbins 1970, "Statistical methods related to the law
of the iterated logarithm"; Howard et al. 2021, "Time-uniform, nonparametric, nonasymptotic confidence
sequences"). A value p is given up once the likelihood of what came, mixed over Jeffreys' prior, is 1/alpha
times its likelihood under p: under p that ratio is a martingale of mean 1, and by Ville's inequality it ever
gets there with a chance of at most alpha.

Observations may be any numbers from 0 to 1. The ratio of each is convex in it, so that its mean is at most
what it is for zeros and ones of the same mean, and the ratio only loses.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from modelserve.shadow.bounds import Bounds

_PRIOR = 0.5  # Jeffreys': beta(1/2, 1/2)
_LOG_PRIOR = 2 * math.lgamma(_PRIOR) - math.lgamma(2 * _PRIOR)
_HALVINGS = 50


class ShareSequence:
    """The mean of observations from 0 to 1 that come one after the other.

    Args:
        confidence: the chance that the bounds hold at all times together.
    """

    def __init__(self, confidence: float) -> None:
        self._threshold = -math.log1p(-confidence)
        self._sum, self._count = 0.0, 0

    @property
    def count(self) -> int:
        """Observations so far."""
        return self._count

    def add(self, observation: float) -> None:
        """Take an observation, from 0 to 1."""
        self._sum += observation
        self._count += 1

    def bounds(self) -> Bounds:
        """What the mean is known to be by now; without any observation, from 0 to 1."""
        return _bounds(self._sum, self._count, self._threshold)


def share_bounds(total: float, count: int, confidence: float) -> Bounds:
    """What the mean of observations is known to be by their sum, at all times together.

    Args:
        total: the sum of the observations.
        count: how many there are.
        confidence: the chance that the bounds hold at all times together.
    """
    return _bounds(total, count, -math.log1p(-confidence))


def _bounds(total: float, count: int, threshold: float) -> Bounds:
    rest = count - total
    if not count:
        return Bounds(0.0, 0.0, 1.0, 0)
    mean = min(1.0, total / count)
    mixed = math.lgamma(_PRIOR + total) + math.lgamma(_PRIOR + rest) - math.lgamma(2 * _PRIOR + count)
    least = mixed - _LOG_PRIOR - threshold

    def is_held(share: float) -> bool:
        return _times_log(total, share) + _times_log(rest, 1 - share) > least

    # The likelihood has its one peak at the mean, so what is held is an interval around it.
    return Bounds(mean, _edge(is_held, mean, 0.0), _edge(is_held, mean, 1.0), count)


def _times_log(factor: float, share: float) -> float:
    if factor <= 0:
        return 0.0
    return factor * math.log(share) if share > 0 else -math.inf


def _edge(is_held: Callable[[float], bool], held: float, beyond: float) -> float:
    """Where, between a share that is held and an end of the scale, it ceases to be."""
    if is_held(beyond):
        return beyond
    for _ in range(_HALVINGS):
        middle = (held + beyond) / 2
        if is_held(middle):
            held = middle
        else:
            beyond = middle
    return beyond  # the first that is given up, so that the bounds err on the wide side
