"""Which of the waiting units the engine computes next: a pure function over their sizes.

The oldest unit is always in the next batch, so nothing starves; the others are those that fit it best,
so that little is filled up.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

DataT = TypeVar("DataT")

LOOKED_AT = 1024
"""Units, oldest first, among which a batch is chosen: what one choice may cost has a bound."""


@dataclass(frozen=True, slots=True)
class Unit(Generic[DataT]):
    """What the engine computes at once for one item, or for a window of it.

    ``size`` is in the task's own measure (pieces, pixels), and at least 1. Only units of the same
    ``key`` can be in one batch.
    """

    data: DataT
    size: int
    key: Hashable = None


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """What a batch may hold.

    ``budget`` bounds the number of units times the largest of them: smaller ones are filled up to
    its size. A unit that is larger than the budget is computed alone. A unit is not filled up from
    less than the share ``least_filled`` of the largest.
    """

    budget: int
    most_units: int = 256
    least_filled: float = 0.5


def choose_batch(queue: Sequence[Unit[DataT]], policy: BatchPolicy) -> list[int]:
    """Choose the next batch.

    Args:
        queue: the waiting units, oldest first; at least one.
        policy: what a batch may hold.

    Returns:
        Indices into ``queue``, that of the oldest unit among them.
    """
    oldest = queue[0]
    fitting = [i for i, unit in enumerate(queue[:LOOKED_AT]) if unit.key == oldest.key]
    fitting.sort(key=lambda i: queue[i].size)
    sizes = [queue[i].size for i in fitting]
    # Among units in order of size a batch is a range. It grows from the oldest unit to the side that
    # costs less filling, down before up where both cost the same.
    low = high = fitting.index(0)
    while high - low + 1 < policy.most_units:
        count, largest = high - low + 1, sizes[high]
        costs: list[tuple[int, bool]] = []
        if (
            low > 0
            and sizes[low - 1] >= largest * policy.least_filled
            and (count + 1) * largest <= policy.budget
        ):
            costs.append((largest - sizes[low - 1], False))
        if high + 1 < len(sizes):
            larger = sizes[high + 1]
            if sizes[low] >= larger * policy.least_filled and (count + 1) * larger <= policy.budget:
                costs.append(((larger - largest) * count, True))
        if not costs:
            break
        if min(costs)[1]:
            high += 1
        else:
            low -= 1
    return fitting[low : high + 1]


def plan_batches(units: Sequence[Unit[DataT]], policy: BatchPolicy) -> list[list[int]]:
    """Divide units into batches, as if they waited together and no other came.

    Returns:
        Batches of indices into ``units``; each index is in one batch.
    """
    waiting = list(range(len(units)))
    batches = []
    while waiting:
        chosen = choose_batch([units[i] for i in waiting[:LOOKED_AT]], policy)
        batches.append([waiting[position] for position in chosen])
        taken = set(chosen)
        waiting = [index for position, index in enumerate(waiting) if position not in taken]
    return batches
