"""Two revisions whose counters go up look by look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from modelserve.canary.judge.measurements import Counters, Histogram, Look

EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
SCORE_EDGES = (0.5, 0.7, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Behaviour:
    """How a revision answers."""

    error_share: float = 0.01
    median_seconds: float = 0.08
    spread: float = 0.6
    label_shares: Sequence[float] = (0.25, 0.25, 0.25, 0.25)
    least_score: float = 0.4


def add(counters: Counters, behaviour: Behaviour, requests: int, chance: np.random.Generator) -> Counters:
    """What the counters are after so many more requests."""
    seconds = behaviour.median_seconds * np.exp(behaviour.spread * chance.standard_normal(requests))
    scores = chance.uniform(behaviour.least_score, 1.0, requests)
    labels = chance.multinomial(requests, behaviour.label_shares)

    def counted(histogram: Histogram | None, edges: Sequence[float], values: np.ndarray) -> Histogram:
        counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
        old = histogram.counts if histogram is not None else [0] * len(counts)
        return Histogram(edges, [int(one + new) for one, new in zip(old, counts, strict=True)])

    return replace(
        counters,
        requests=counters.requests + requests,
        errors=counters.errors + int(chance.binomial(requests, behaviour.error_share)),
        seconds=counted(counters.seconds, EDGES, seconds),
        labels={
            f"label{i}": int(counters.labels.get(f"label{i}", 0) + count) for i, count in enumerate(labels)
        },
        confidence=counted(counters.confidence, SCORE_EDGES, scores),
    )


@pytest.fixture
def watch() -> Callable[..., list[Look]]:
    """Looks at a canary and the stable revision, every 10 seconds."""

    def make(
        canary: Behaviour | None = None,
        stable: Behaviour | None = None,
        *,
        looks: int = 100,
        canary_calls: int = 20,
        stable_calls: int = 80,
        seed: int = 1,
    ) -> list[Look]:
        chance = np.random.default_rng(seed)
        empty = add(Counters(0, 0), Behaviour(), 0, chance)
        counters = {"canary": empty, "stable": empty}
        found = [Look(0.0, {"c": empty}, {"s": empty})]
        for index in range(1, looks):
            for name, behaviour, calls in (
                ("canary", canary or Behaviour(), canary_calls),
                ("stable", stable or Behaviour(), stable_calls),
            ):
                counters[name] = add(counters[name], behaviour, int(chance.poisson(calls)), chance)
            found.append(Look(10.0 * index, {"c": counters["canary"]}, {"s": counters["stable"]}))
        return found

    return make


@pytest.fixture
def behaviour() -> type[Behaviour]:
    """How a revision answers, to be changed."""
    return Behaviour
