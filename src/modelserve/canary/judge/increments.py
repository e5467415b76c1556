"""From counters of pods to what both revisions did between looks: resets, new pods and warm-up.

A counter that fell was reset with its pod's container, and counts from zero, as Prometheus has it. A pod that
is missing from a look is taken up again where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from modelserve.canary.judge.measurements import Counters, Histogram, Look
from modelserve.canary.judge.odds import Integers
from modelserve.canary.judge.policy import WarmUp
from modelserve.errors import ModelServeError

_REQUESTS, _ERRORS, _SECONDS, _LABEL, _CONFIDENCE = "requests", "errors", "seconds", "label", "confidence"

_Key = tuple[str, "str | int"]
_Counts = dict[_Key, int]
_HistogramOf = Callable[[Counters], "Histogram | None"]


class UnusableMeasurements(ModelServeError):
    """Measurements that contradict each other, or are no counts; the message says which."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """What fell into the buckets of a histogram in each look.

    Attributes:
        edges: their upper bounds, without infinity.
        canary: [..., looks, edges + 1].
        stable: likewise.
    """

    edges: tuple[float, ...]
    canary: Integers
    stable: Integers


@dataclass(frozen=True, slots=True)
class Increments:
    """What the warm pods of both revisions did from one look to the next.

    Axes before that of looks are of several canaries, as in a simulation.

    Attributes:
        requests: of the canary and of the stable revision, [..., looks] each.
        errors: likewise.
        seconds: of requests; None where it is not told.
        labels: their names.
        canary_labels: predictions by label, [..., looks, labels].
        stable_labels: likewise.
        confidence: of predictions; None where it is not told.
    """

    requests: tuple[Integers, Integers]
    errors: tuple[Integers, Integers]
    seconds: Buckets | None
    labels: tuple[str, ...]
    canary_labels: Integers
    stable_labels: Integers
    confidence: Buckets | None


def increments(looks: Sequence[Look], warm_up: WarmUp) -> Increments:
    """Take the differences.

    Args:
        looks: ascending in time.
        warm_up: what is left out of each pod.

    Raises:
        UnusableMeasurements: when they contradict each other.
    """
    for one, next_one in pairwise(looks):
        if not one.at_seconds < next_one.at_seconds:
            raise UnusableMeasurements(
                f"a look at {next_one.at_seconds:g} s comes after one at {one.at_seconds:g} s; looks must be "
                "in the order of time"
            )
    edges = {
        _SECONDS: _edges(_SECONDS, looks, lambda counters: counters.seconds),
        _CONFIDENCE: _edges(_CONFIDENCE, looks, lambda counters: counters.confidence),
    }
    times = [look.at_seconds for look in looks]
    canary = _revision("canary", times, [look.canary for look in looks], warm_up)
    stable = _revision("stable", times, [look.stable for look in looks], warm_up)
    names = sorted({str(key[1]) for counts in (*canary, *stable) for key in counts if key[0] == _LABEL})

    def arrays(keys: Sequence[_Key]) -> tuple[Integers, Integers]:
        return _array(canary, keys), _array(stable, keys)

    def buckets(name: str) -> Buckets | None:
        found = edges[name]
        if found is None:
            return None
        return Buckets(found, *arrays([(name, bucket) for bucket in range(len(found) + 1)]))

    requests, errors = arrays([(_REQUESTS, "")]), arrays([(_ERRORS, "")])
    return Increments(
        (requests[0][:, 0], requests[1][:, 0]),
        (errors[0][:, 0], errors[1][:, 0]),
        buckets(_SECONDS),
        tuple(names),
        *arrays([(_LABEL, name) for name in names]),
        buckets(_CONFIDENCE),
    )


def _array(counts: Sequence[_Counts], keys: Sequence[_Key]) -> Integers:
    rows = [[of_look.get(key, 0) for key in keys] for of_look in counts]
    return np.array(rows, np.int64).reshape(len(counts), len(keys))


def _revision(
    name: str, times: Sequence[float], looks: Sequence[Mapping[str, Counters]], warm_up: WarmUp
) -> list[_Counts]:
    """What the warm pods of a revision did up to each look but the first."""
    last: dict[str, _Counts] = {}
    seen_since: dict[str, float] = {}
    answered: dict[str, int] = {}
    found: list[_Counts] = []
    for index, (time, pods) in enumerate(zip(times, looks, strict=True)):
        total: _Counts = {}
        for pod, counters in pods.items():
            counts = _counts(f"pod {pod} of the {name} revision", counters)
            previous = last.get(pod, counts)
            if counts[_REQUESTS, ""] < previous[_REQUESTS, ""]:
                # The container started anew, and is cold again.
                previous = {}
                seen_since[pod], answered[pod] = time, 0
            started = seen_since.setdefault(pod, time)
            was_warm = answered.get(pod, 0) >= warm_up.requests and (
                max(0.0, times[max(index - 1, 0)] - started) >= warm_up.seconds
            )
            change = {key: count - previous.get(key, 0) for key, count in counts.items()}
            if any(count < 0 for count in change.values()):
                raise UnusableMeasurements(
                    f"a counter of pod {pod} of the {name} revision fell while its requests did not; all of "
                    "a pod's counters must be of one reading"
                )
            last[pod] = counts
            answered[pod] = answered.get(pod, 0) + change[_REQUESTS, ""]
            if was_warm:
                for key, count in change.items():
                    total[key] = total.get(key, 0) + count
        if index:
            found.append(total)
    for of_look in found:
        if of_look.get((_ERRORS, ""), 0) > of_look.get((_REQUESTS, ""), 0):
            raise UnusableMeasurements(
                f"the {name} revision has more errors than requests between two looks; errors must be among "
                "the requests"
            )
    return found


def _counts(whose: str, counters: Counters) -> _Counts:
    named: dict[_Key, float] = {
        (_REQUESTS, ""): counters.requests,
        (_ERRORS, ""): counters.errors,
        **{(_LABEL, label): count for label, count in counters.labels.items()},
    }
    for name, histogram in ((_SECONDS, counters.seconds), (_CONFIDENCE, counters.confidence)):
        if histogram is not None:
            named |= {(name, index): count for index, count in enumerate(histogram.counts)}
    for key, count in named.items():
        if not (math.isfinite(count) and count >= 0 and count == int(count)):
            raise UnusableMeasurements(
                f"{whose} has a count of {count:g} {key[0]}; counts are whole numbers from 0 on"
            )
    return {key: int(count) for key, count in named.items()}


def _edges(name: str, looks: Sequence[Look], of: _HistogramOf) -> tuple[float, ...] | None:
    """The one set of edges that all histograms have; None where there is no histogram."""
    found: set[tuple[float, ...]] = set()
    for counters in _all_counters(looks):
        histogram = of(counters)
        if histogram is not None:
            if len(histogram.counts) != len(histogram.edges) + 1:
                raise UnusableMeasurements(
                    f"a histogram of {name} has {len(histogram.counts)} counts for {len(histogram.edges)} "
                    "edges; it must have one more than edges"
                )
            found.add(tuple(histogram.edges))
    if len(found) > 1:
        raise UnusableMeasurements(
            f"the histograms of {name} have different buckets; those of both revisions must have the same"
        )
    return found.pop() if found else None


def _all_counters(looks: Sequence[Look]) -> Iterable[Counters]:
    for look in looks:
        yield from look.canary.values()
        yield from look.stable.values()
