"""What happened to every call of a run, and the figures that follow from it."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from modelserve.bench.outcomes import TIMEOUT, is_answer, is_good


@dataclass(frozen=True, slots=True)
class Latency:
    """In milliseconds, from the time at which a call was due to the last byte of its answer."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one run, its warm-up left out.

    ``throughput`` counts answers of any status per second and ``goodput`` those that are good, as
    ``Recording.rate`` says; ``outcomes`` counts every call that was due in the window. ``latency`` is of good
    answers and of calls given up, which count with the time that they waited; None without either.
    ``pacing_p99_ms`` is how late an open loop itself came to a call. ``generator_cpu`` is the
    share of one core that it used.
    """

    seconds: float
    calls: int
    throughput: float
    goodput: float
    latency: Latency | None
    outcomes: dict[str, int]
    pacing_p99_ms: float
    generator_cpu: float

    @property
    def is_clean(self) -> bool:
        """Whether every call was answered with what it asked for."""
        return all(is_good(outcome) for outcome in self.outcomes)


class Recording:
    """Calls as they end, in columns; times are seconds of one clock."""

    def __init__(self) -> None:
        self._intended, self._ended, self._lags = array("d"), array("d"), array("d")
        self._outcomes: list[str] = []

    def __len__(self) -> int:
        return len(self._outcomes)

    def add(self, intended: float, ended: float, outcome: str) -> None:
        """One call: when it was due, when it ended and how."""
        self._intended.append(intended)
        self._ended.append(ended)
        self._outcomes.append(outcome)

    def add_lag(self, seconds: float) -> None:
        """How late the generator came to a call that was due."""
        self._lags.append(seconds)

    def rate(self, start: float, stop: float, *, good_only: bool) -> float:
        """Answers per second in a window.

        The answers of a batch come together, and a window that cuts between two batches would count one
        of them too many or too few. So the span that is divided by begins and ends with an answer: the
        last one before the window, and the last one in it. A silence at its end that is longer than
        any before counts as far as it is longer, so that a server that stands still looks no better.
        """
        counts = is_good if good_only else is_answer
        ended = sorted(
            ended for ended, outcome in zip(self._ended, self._outcomes, strict=True) if counts(outcome)
        )
        first, last = bisect_left(ended, start), bisect_left(ended, stop)
        if first == last:
            return 0.0
        begin = ended[first - 1] if first else start
        gaps = (later - earlier for earlier, later in pairwise([begin, *ended[first:last]]))
        return (last - first) / (max(ended[last - 1], stop - max(gaps)) - begin)

    def report(self, start: float, stop: float, *, cpu_seconds: float) -> Report:
        """The figures of a window.

        Args:
            start: when the window began; calls that were due before it are its warm-up.
            stop: when it ended; calls that were due by then count, however late they ended.
            cpu_seconds: that the generator used in the window.
        """
        seconds = stop - start
        due = [
            (intended, ended, outcome)
            for intended, ended, outcome in zip(self._intended, self._ended, self._outcomes, strict=True)
            if start <= intended <= stop
        ]
        waits = [ended - due_at for due_at, ended, outcome in due if is_good(outcome) or outcome == TIMEOUT]
        return Report(
            seconds=seconds,
            calls=len(due),
            throughput=self.rate(start, stop, good_only=False),
            goodput=self.rate(start, stop, good_only=True),
            latency=_latency(waits) if waits else None,
            outcomes=dict(sorted(Counter(outcome for *_, outcome in due).items())),
            pacing_p99_ms=1000 * percentile(sorted(self._lags), 0.99) if self._lags else 0.0,
            generator_cpu=cpu_seconds / seconds,
        )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least value that at least ``share`` of the values do not exceed (nearest rank).

    Args:
        ordered: ascending, at least one value.
        share: in (0, 1].
    """
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def _latency(seconds: Sequence[float]) -> Latency:
    ordered = sorted(1000 * value for value in seconds)
    return Latency(
        p50_ms=percentile(ordered, 0.5),
        p90_ms=percentile(ordered, 0.9),
        p99_ms=percentile(ordered, 0.99),
        max_ms=ordered[-1],
    )
