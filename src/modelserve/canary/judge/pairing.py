"""Looks put together until both revisions were read anew in them, and beside the looks next to them.

Prometheus reads each pod in its own time, every 15 s or every minute, and somebody may look more often than
that. Of a look in which one revision alone has new counts there is nothing to compare: all of its calls and
all of its events are one revision's, whatever the odds. Which looks go together is a matter of calls alone,
and no event has a say in it.

What was read anew is not of the same seconds either: a pod's counts are as old as its last reading. An outage
that both revisions have begins in the readings of one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from modelserve.canary.judge.increments import Buckets, Increments
from modelserve.canary.judge.odds import Integers

LONGEST_SECONDS = 90.0
"""How long one revision waits for the other: Prometheus reads every minute where nobody says otherwise. Past
it a revision had no calls, and what the other did meanwhile is compared with none."""


def paired(found: Increments, times: Sequence[float]) -> Increments:
    """Put looks together.

    Args:
        found: of one canary, [looks] and [looks, ...].
        times: of the looks and of the one before them all, in seconds: one more than ``found`` has.
    """
    starts = _starts(*found.requests, times)

    def add(counts: Integers) -> Integers:
        return np.add.reduceat(counts, starts, axis=0)

    def buckets(one: Buckets | None) -> Buckets | None:
        return one and Buckets(one.edges, add(one.canary), add(one.stable))

    return Increments(
        (add(found.requests[0]), add(found.requests[1])),
        (add(found.errors[0]), add(found.errors[1])),
        buckets(found.seconds),
        found.labels,
        add(found.canary_labels),
        add(found.stable_labels),
        buckets(found.confidence),
    )


def beside(found: Increments, offset: int) -> Increments:
    """What the canary did in each look, and the stable revision so many looks later; nothing beyond the ends.

    Args:
        found: of one canary or of several.
        offset: in looks; below 0 for earlier.
    """

    def move(counts: Integers, axis: int) -> Integers:
        moved = np.roll(counts, -offset, axis)
        beyond = slice(-offset, None) if offset > 0 else slice(0, -offset)
        np.moveaxis(moved, axis, 0)[beyond] = 0
        return moved

    def move_buckets(one: Buckets | None) -> Buckets | None:
        return one and replace(one, stable=move(one.stable, -2))

    return replace(
        found,
        requests=(found.requests[0], move(found.requests[1], -1)),
        errors=(found.errors[0], move(found.errors[1], -1)),
        seconds=move_buckets(found.seconds),
        stable_labels=move(found.stable_labels, -2),
        confidence=move_buckets(found.confidence),
    )


def _starts(canary: Integers, stable: Integers, times: Sequence[float]) -> list[int]:
    """The first look of each group."""
    starts, both = [0], np.zeros(2, np.int64)
    for index, calls in enumerate(zip(canary, stable, strict=True)):
        both += calls
        if index + 1 < len(canary) and (
            both.all() or times[index + 1] - times[starts[-1]] >= LONGEST_SECONDS
        ):
            starts.append(index + 1)
            both[:] = 0
    return starts
