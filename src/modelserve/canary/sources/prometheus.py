"""Counters of both revisions out of Prometheus: the samples as they were scraped, pod by pod.

No ``rate`` and no ``increase``: they extrapolate, and a fraction of an error is none. All questions of a look
are of one instant, at which every series of a pod is of the same scrape.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable

from modelserve.canary.judge.measurements import Counters, Histogram, Look
from modelserve.canary.judge.policy import Policy
from modelserve.canary.sources.model_checks import drift_alarms, shadow_counts
from modelserve.canary.sources.names import MODELSERVE, NAMES, Names
from modelserve.canary.sources.promql import Prometheus, Sample, fill
from modelserve.canary.sources.protocol import NotMeasured

_POD = ("pod", "instance")
"""Labels that tell pods apart, the first that is there: Prometheus writes ``instance`` by itself."""


class PrometheusSource:
    """Asks one Prometheus, or what answers as it does.

    Args:
        url: of its HTTP API, without ``/api``.
        namespace: of the service, as the label ``namespace`` of what is scraped there says it.
        names: of the counters.
        drift: whether to ask for the drift detector's alarms.
        shadow: whether to ask for what a shadow has counted.
        timeout_seconds: of a question.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str,
        names: Names = MODELSERVE,
        drift: bool = False,
        shadow: bool = False,
        timeout_seconds: float = 10.0,
    ) -> None:
        self._prometheus = Prometheus(url, timeout_seconds=timeout_seconds)
        self._namespace, self._names = namespace, names
        self._asks_drift, self._asks_shadow = drift, shadow

    @classmethod
    def for_policy(cls, url: str, policy: Policy, *, namespace: str, names: str) -> PrometheusSource:
        """One that is asked for what a policy judges by.

        Args:
            url: of its HTTP API, without ``/api``.
            policy: of the canary.
            namespace: of the service.
            names: of the counters, one of ``NAMES``.
        """
        return cls(
            url,
            namespace=namespace,
            names=NAMES[names],
            drift=policy.drift,
            shadow=policy.shadow is not None,
        )

    def look(self, *, canary: str, stable: str) -> Look:
        """Read both revisions at one time.

        Raises:
            NotMeasured: Prometheus does not answer, or its answer is none.
        """
        now = time.time()
        where = {"namespace": self._namespace, "canary": canary, "stable": stable}
        return Look(
            now,
            canary=self._pods(canary, now),
            stable=self._pods(stable, now),
            drift=drift_alarms(self._prometheus, at_seconds=now, **where) if self._asks_drift else None,
            shadow=shadow_counts(self._prometheus, at_seconds=now, **where) if self._asks_shadow else None,
        )

    def expect_presence(self, revision: str) -> None:
        """Make sure that a revision is scraped, whether or not anybody calls it.

        Counters that are absent say too little: a server has none of them before its first call, and a wrong
        address, namespace or choice of names looks the same. What is asked for instead is there as soon as
        a pod is scraped. A revision that is scaled to zero has no pod, hence the day: every revision had one
        when it was made, and one that nobody called for a day has nothing to compare a canary with, until
        the next call.

        Raises:
            NotMeasured: Prometheus does not answer, or nothing was scraped of it within a day.
        """
        query = self._names.presence
        if not self._ask(query, revision, time.time()):
            asked = fill(query, namespace=self._namespace, revision=revision)
            raise NotMeasured(
                f"Prometheus has seen nothing of {revision} within a day ({asked}): its pods have to be "
                "scraped with these labels; one that was at zero for so long is known from its next call on"
            )

    def close(self) -> None:
        """Close the connections."""
        self._prometheus.close()

    def _pods(self, revision: str, now: float) -> dict[str, Counters]:
        names = self._names
        requests = _by_pod(self._ask(names.requests, revision, now))
        seconds = _by_pod(self._ask(names.seconds, revision, now))
        labels = _by_pod(self._ask(names.labels, revision, now))
        confidence = _by_pod(self._ask(names.confidence, revision, now))
        return {
            pod: Counters(
                requests=sum(value for _, value in samples),
                errors=sum(value for found, value in samples if names.is_error(found.get(names.outcome, ""))),
                seconds=_histogram(seconds.get(pod, ()), unit=names.unit_seconds),
                labels=_totals(labels.get(pod, ()), "label"),
                confidence=_histogram(confidence.get(pod, ()), unit=1.0),
            )
            for pod, samples in requests.items()
        }

    def _ask(self, query: str, revision: str, now: float) -> list[Sample]:
        if not query:
            return []
        return self._prometheus.ask(query, at_seconds=now, namespace=self._namespace, revision=revision)


def _by_pod(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    pods: dict[str, list[Sample]] = defaultdict(list)
    for labels, value in samples:
        pods[next((labels[name] for name in _POD if name in labels), "")].append((labels, value))
    return pods


def _totals(samples: Iterable[Sample], label: str) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for labels, value in samples:
        totals[labels.get(label, "")] += value
    return dict(totals)


def _histogram(samples: Iterable[Sample], *, unit: float) -> Histogram | None:
    """Of the cumulative counts of several series; None of none."""
    below: dict[float, float] = defaultdict(float)
    for bound, value in _totals(samples, "le").items():
        below[float(bound) * unit] += value
    if math.inf not in below:
        return None
    edges = sorted(below)
    counts = [below[edge] - (below[before] if before is not None else 0.0) for before, edge in _pairs(edges)]
    return Histogram(edges[:-1], counts)


def _pairs(edges: list[float]) -> list[tuple[float | None, float]]:
    return list(zip([None, *edges[:-1]], edges, strict=True))
