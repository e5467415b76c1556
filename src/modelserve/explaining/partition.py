"""Features in groups of groups: which of them are hidden together before one is hidden alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Members = npt.NDArray[np.intp]
"""The numbers of features."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A binary tree over features: a group, and the two that it falls into.

    ``halves`` is None for a group of one.
    """

    members: Members
    halves: tuple[Partition, Partition] | None = None


def partition_sequence(strengths: Sequence[float]) -> Partition:
    """Halve a sequence of features, and its halves, where it holds together least.

    Args:
        strengths: of the places between neighbours, one fewer than there are features: a range is
            cut at the place of the highest strength in its middle third, of equal ones at that
            nearest to the middle.
    """

    def cut(start: int, stop: int) -> int:
        middle = (start + stop) / 2
        margin = max(1.0, (stop - start) / 6)
        places = [place for place in range(start + 1, stop) if abs(place - middle) <= margin]
        return max(places, key=lambda place: (strengths[place - 1], -abs(place - middle)))

    def halve(start: int, stop: int) -> Partition:
        members = np.arange(start, stop)
        if stop - start == 1:
            return Partition(members)
        place = cut(start, stop)
        return Partition(members, (halve(start, place), halve(place, stop)))

    return halve(0, len(strengths) + 1)


def partition_grid(rows: int, columns: int) -> Partition:
    """Halve a grid of features, and its halves, across the longer side; they are numbered row by row."""
    numbers = np.arange(rows * columns).reshape(rows, columns)

    def halve(block: Members) -> Partition:
        members = block.ravel()
        if len(members) == 1:
            return Partition(members)
        height, width = block.shape
        first, second = np.array_split(block, 2, axis=0 if height >= width else 1)
        return Partition(members, (halve(first), halve(second)))

    return halve(numbers)
