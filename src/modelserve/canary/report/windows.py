"""What was measured, in windows of time that are few enough to be seen and full enough to say something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil

import numpy as np

from modelserve.canary.judge.increments import Buckets, increments
from modelserve.canary.judge.odds import Floats, Integers
from modelserve.canary.judge.policy import Policy, WarmUp
from modelserve.canary.report.estimates import Both, quantiles, shares
from modelserve.canary.running.driver import Progress

_MOST_WINDOWS = 48
_LEAST_WINDOWS = 6  # where there are as many looks
_USUAL_CALLS = 400  # to the canary in a window, so that its interval is no more than noise
_GAP = 3.0  # times as long as looks usually are apart

_ALL_CALLS = WarmUp(0.0, 0)


@dataclass(frozen=True, slots=True)
class Windows:
    """What both revisions did; a window is of one step, and there is none where nothing was measured.

    Attributes:
        starts: seconds since 1970, [windows].
        ends: likewise; the next window begins there, but at a gap.
        calls: to the warm canary and the warm stable revision, [windows] each.
        errors: of those.
        traffic: all calls, of cold pods too, likewise.
        seconds: of calls; None where it is not told.
        labels: names of the last axis of ``canary_labels`` and ``stable_labels``, [windows, labels].
    """

    starts: Floats
    ends: Floats
    calls: tuple[Integers, Integers]
    errors: tuple[Integers, Integers]
    traffic: tuple[Integers, Integers]
    seconds: Buckets | None
    labels: tuple[str, ...]
    canary_labels: Integers
    stable_labels: Integers

    @property
    def error_shares(self) -> Both:
        """The share of calls that failed."""
        return Both(*(shares(*one) for one in zip(self.errors, self.calls, strict=True)))

    @property
    def traffic_shares(self) -> Both:
        """The share of all calls that each revision got."""
        both = self.traffic[0] + self.traffic[1]
        return Both(*(shares(calls, both) for calls in self.traffic))

    def latency(self, quantile: float) -> Both | None:
        """A quantile in seconds; None where latency is not told."""
        if self.seconds is None:
            return None
        edges = self.seconds.edges
        return Both(*(quantiles(one, edges, quantile) for one in (self.seconds.canary, self.seconds.stable)))

    def label_shares(self, index: int) -> Both:
        """The share of the predictions that are this label."""
        predictions = (self.canary_labels, self.stable_labels)
        return Both(*(shares(one[:, index], one.sum(axis=1)) for one in predictions))


def windows(progress: Sequence[Progress], policy: Policy) -> Windows | None:
    """Put what was measured into windows; None where it takes two looks and there are not as many.

    Args:
        progress: in the order of time.
        policy: says what is left out while pods are cold.

    Raises:
        UnusableMeasurements: they contradict each other.
    """
    seen = [one for one in progress if one.look is not None]
    looks = [one.look for one in seen if one.look is not None]
    if len(looks) < 2:
        return None
    found, everything = increments(looks, policy.warm_up), increments(looks, _ALL_CALLS)
    groups = list(_groups(seen, everything.requests[0]))
    if not groups:
        return None

    def add(counts: Integers) -> Integers:
        return np.stack([counts[group].sum(axis=0) for group in groups])

    times = [one.at for one in seen]
    seconds = found.seconds
    return Windows(
        starts=np.array([times[group.start] for group in groups]),
        ends=np.array([times[group.stop] for group in groups]),
        calls=(add(found.requests[0]), add(found.requests[1])),
        errors=(add(found.errors[0]), add(found.errors[1])),
        traffic=(add(everything.requests[0]), add(everything.requests[1])),
        seconds=seconds and Buckets(seconds.edges, add(seconds.canary), add(seconds.stable)),
        labels=found.labels,
        canary_labels=add(found.canary_labels),
        stable_labels=add(found.stable_labels),
    )


def _groups(seen: Sequence[Progress], calls: Integers) -> Iterator[slice]:
    """Increments that belong together: of one step, with no gap among them, and not too few."""
    apart = np.diff([one.at for one in seen])
    is_gap = apart > _GAP * np.median(apart)
    wanted = max(
        ceil(len(calls) / _MOST_WINDOWS),
        min(len(calls) // _LEAST_WINDOWS, ceil(_USUAL_CALLS / max(calls.mean(), 1.0))),
    )

    def kind(index: int) -> tuple[int, bool]:
        # A look's step is the one that follows on it, so it is that of what is counted next.
        return seen[index].course.step, bool(is_gap[index])

    for (_, gap), found in groupby(range(len(calls)), kind):
        if not gap:
            run = list(found)
            for part in np.array_split(run, max(1, len(run) // wanted)):
                yield slice(int(part[0]), int(part[-1]) + 1)
