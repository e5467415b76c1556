"""Owen values: what each feature contributes to a model's answer, found by hiding groups of features.

The value of a group is what the answer gains when the group is shown, on average over its surroundings
shown and hidden; it is handed on to the two halves of the group, and to their halves, down to single
features. Owen (1977), "Values of games with a priori unions"; the order of the search is that of the
``shap`` library's ``PartitionExplainer``. However early the search ends, the contributions add up to the
difference between the whole and nothing.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelserve.explaining.partition import Partition

Masks = npt.NDArray[np.bool_]
"""Variations: [variations, features], true where a feature is shown and false where it is hidden."""

Values = npt.NDArray[np.float64]
"""What the model says of variations: [variations, outputs]."""


@dataclass(frozen=True, slots=True)
class _Gain:
    """What the answer gains, within some surroundings, when a group is shown.

    ``surroundings`` are the features that are shown beside it, [features]; ``without`` and ``shown`` are
    the answers, [outputs]; ``weight`` is the share of these surroundings among all that count.
    """

    group: Partition
    surroundings: npt.NDArray[np.bool_]
    without: npt.NDArray[np.float64]
    shown: npt.NDArray[np.float64]
    weight: float

    @property
    def value(self) -> npt.NDArray[np.float64]:
        """Its part in the value of the group, [outputs]."""
        return self.weight * (self.shown - self.without)


class OwenSearch:
    """A search that asks for variations and is told the model's answers; it calls nothing itself.

    The gains that matter most are divided first. For several outputs they are those that matter most
    to any of them.

    Args:
        partition: of the features.
        without: the answer to nothing, [outputs].
        shown: the answer to the whole, [outputs].
    """

    def __init__(
        self, partition: Partition, without: npt.NDArray[np.float64], shown: npt.NDArray[np.float64]
    ) -> None:
        self._features = len(partition.members)
        self._credit = np.zeros((len(shown), self._features))
        self._waiting: list[tuple[float, int, _Gain]] = []
        self._asked: list[_Gain] = []
        self._added = 0
        self._add(_Gain(partition, np.zeros(self._features, np.bool_), without, shown, 1.0))

    @property
    def is_complete(self) -> bool:
        """Whether every group is divided down to single features."""
        return not self._waiting and not self._asked

    def ask(self, most: int) -> Masks:
        """The next variations to let the model answer: at most so many, two for each group.

        Empty when there is nothing left to ask, or ``most`` is below two.
        """
        count = min(most // 2, len(self._waiting))
        self._asked = [heapq.heappop(self._waiting)[2] for _ in range(count)]
        masks = np.zeros((2 * count, self._features), np.bool_)
        for row, gain in enumerate(self._asked):
            for place, half in enumerate(_halves(gain)):
                mask = masks[2 * row + place]
                mask[:] = gain.surroundings
                mask[half.members] = True
        return masks

    def tell(self, values: Values) -> None:
        """Take the answers to the variations that were asked for last, in their order."""
        for gain, (with_first, with_second) in zip(
            self._asked, values.reshape(len(self._asked), 2, -1), strict=True
        ):
            first, second = _halves(gain)
            for half, other, alone, other_alone in (
                (first, second, with_first, with_second),
                (second, first, with_second, with_first),
            ):
                beside = gain.surroundings.copy()
                beside[other.members] = True
                self._add(_Gain(half, gain.surroundings, gain.without, alone, gain.weight / 2))
                self._add(_Gain(half, beside, other_alone, gain.shown, gain.weight / 2))
        self._asked = []

    def contributions(self) -> npt.NDArray[np.float64]:
        """What each feature contributes, [outputs, features]; a group not divided yet shares evenly."""
        credit: npt.NDArray[np.float64] = self._credit.copy()
        for gain in [*(waiting[2] for waiting in self._waiting), *self._asked]:
            members = gain.group.members
            credit[:, members] += gain.value[:, None] / len(members)
        return credit

    def _add(self, gain: _Gain) -> None:
        if gain.group.halves is None:
            self._credit[:, gain.group.members] += gain.value[:, None]
            return
        # Of equal ones the earlier is divided first: the same answers always give the same search.
        heapq.heappush(self._waiting, (-float(np.abs(gain.value).max()), self._added, gain))
        self._added += 1


def _halves(gain: _Gain) -> tuple[Partition, Partition]:
    assert gain.group.halves is not None, "a single feature never waits"
    return gain.group.halves
