"""What the drift detector and the shadow have told Prometheus of two revisions.

Of drift only the alarms against the references are asked: whether a revision is asked, and answers, what its
own weights did when they were made. The detector has two baselines more. Against the revision before, a
canary differs where the models do, which a new model may: the checks of labels and confidence say how much,
with tolerances, and the stable revision has no such alarm to compare with. Against the reference sample by
sample (``reference (online)``) a false alarm comes once in so many thousand samples, which is about as many
as a canary has: it would roll back good ones.

A detector or a shadow that ends takes its series along, as Prometheus marks them when a scrape fails; where
Prometheus itself was away, it takes five minutes. Then there is no verdict and no comparison. A detector
that runs and is sent no more calls keeps its last verdict.
"""

from __future__ import annotations

from modelserve.canary.judge.measurements import DriftAlarms, ShadowCounts
from modelserve.canary.sources.promql import Prometheus, Sample

# Its own namespace label is renamed where the detector is scraped with one for its pod (honor_labels: false).
_BOTH_NAMES = (
    '$metric{exported_namespace="$namespace",$whose} or '
    '$metric{exported_namespace="",namespace="$namespace",$whose}'
)
_WHOSE = 'revision=~"$canary|$stable",baseline="reference"'


def _of_the_detector(metric: str) -> str:
    return "(" + _BOTH_NAMES.replace("$metric", metric).replace("$whose", _WHOSE) + ")"


# Without a reference of its weights a revision has the gauge and no verdict: its features have no figures.
_ALARMS = (
    f"max by (revision) ({_of_the_detector('modelserve_drift_detected')} and ignoring (feature, detector) "
    f"{_of_the_detector('modelserve_drift_statistic')})"
)

# One question for both, so that they are of one scrape: the sum must not be more than the calls.
_SHADOW = (
    '{__name__=~"modelserve_shadow_call_disagreement_(count|sum)",namespace="$namespace",'
    'revision="$canary",logged_revision="$stable"}'
)


def drift_alarms(
    prometheus: Prometheus, *, namespace: str, canary: str, stable: str, at_seconds: float
) -> DriftAlarms:
    """The detector's alarms against the references.

    Args:
        prometheus: is asked.
        namespace: of the service.
        canary: the new revision's name.
        stable: the other one's.
        at_seconds: since 1970.

    Raises:
        NotMeasured: Prometheus does not answer.
    """
    samples = prometheus.ask(
        _ALARMS, at_seconds=at_seconds, namespace=namespace, canary=canary, stable=stable
    )
    found = {labels["revision"]: value > 0 for labels, value in samples}
    return DriftAlarms(canary=found.get(canary), stable=found.get(stable))


def shadow_counts(
    prometheus: Prometheus, *, namespace: str, canary: str, stable: str, at_seconds: float
) -> ShadowCounts | None:
    """What shadows in the service's namespace have counted of the canary; None where none has.

    Calls that the canary had answered itself, and is asked again, are left out: of course it agrees.

    Args:
        prometheus: is asked.
        namespace: of the service, and of the shadow.
        canary: the revision that answers what is replayed.
        stable: the one whose logged answers are compared.
        at_seconds: since 1970.

    Raises:
        NotMeasured: Prometheus does not answer.
    """
    samples = prometheus.ask(
        _SHADOW, at_seconds=at_seconds, namespace=namespace, canary=canary, stable=stable
    )
    if not samples:
        return None
    return ShadowCounts(compared=int(_total(samples, "_count")), disagreeing=_total(samples, "_sum"))


def _total(samples: list[Sample], ending: str) -> float:
    return sum(value for labels, value in samples if labels["__name__"].endswith(ending))
