"""When the calls of an open loop are due, settled before the first is sent.

A caller that waits for an answer before it sends the next call goes easy on a slow server just when
its slowness should be seen. Here the times do not depend on the server at all.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

SPACINGS = ("poisson", "even")


def due_times(rate: float, seconds: float, *, spacing: str, seed: int = 0) -> Iterator[float]:
    """Times from 0 to ``seconds``, ascending.

    Args:
        rate: calls per second.
        seconds: for how long.
        spacing: ``even``, or ``poisson``: independent callers, of whom several may call at once.
        seed: of the random spacing.
    """
    if spacing == "even":
        yield from (number / rate for number in range(round(rate * seconds)))
        return
    chance = random.Random(seed)
    due = chance.expovariate(rate)
    while due < seconds:
        yield due
        due += chance.expovariate(rate)
