"""What is made of a reference, kept: the same reference is compared with window after window."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Generic, TypeVar

import numpy as np

from modelserve.drift.table import Column

FittedT = TypeVar("FittedT")

_MOST = 8
"""References of which something is kept."""


class Fitted(Generic[FittedT]):
    """Makes something of each reference once; the one that was not asked for the longest makes room.

    References are told apart by what is in them: each comparison takes its columns out of tables anew.

    Args:
        make: of a reference.
    """

    def __init__(self, make: Callable[[Column], FittedT]) -> None:
        self._make = make
        self._kept: OrderedDict[tuple[object, ...], FittedT] = OrderedDict()

    def to(self, reference: Column) -> FittedT:
        """What was made of this reference, or of one that is equal to it."""
        digest = blake2b(np.ascontiguousarray(reference).data, digest_size=16).digest()
        key = (reference.shape, reference.dtype.str, digest)
        if key not in self._kept:
            self._kept[key] = self._make(reference)
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return self._kept[key]
