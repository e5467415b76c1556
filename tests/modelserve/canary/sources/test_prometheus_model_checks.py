"""Drift's alarms and a shadow's counts, as their own metrics tell them, out of a real Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from modelserve.canary.judge.measurements import DriftAlarms, Look, ShadowCounts
from modelserve.canary.sources.prometheus import PrometheusSource
from modelserve.drift.metrics import DriftMetrics
from modelserve.drift.streams import STREAM
from modelserve.drift.verdicts import FeatureVerdict, Outcome, Source, Verdict
from modelserve.events import Component
from modelserve.shadow.metrics import ShadowMetrics

STABLE, CANARY = "names-predictor-00001", "names-predictor-00002"
SHARE = FeatureVerdict("length", "ks", 0.5, 0.001, 0.002, 0.4, 200, 200, drifted=True)


def verdict(
    revision: str, *, alarm: bool, baseline: str = "reference", namespace: str = "default"
) -> Verdict:
    source = Source(Component(namespace, "names", "predictor"), revision, "sha256:1")
    outcome = Outcome.DRIFT if alarm else Outcome.STEADY
    return Verdict(source, baseline, "1", 0.0, 1.0, 200, outcome, "", [SHARE], alarm)


def no_verdict(revision: str) -> Verdict:
    """As there is of weights without a reference."""
    source = Source(Component("default", "names", "predictor"), revision, "sha256:2")
    return Verdict(source, "reference", "", 0.0, 1.0, 200, Outcome.NO_VERDICT, "no reference", [], False)


def detector(*verdicts: Verdict) -> CollectorRegistry:
    registry = CollectorRegistry()
    metrics = DriftMetrics(registry, seconds=3600)
    for one in verdicts:
        metrics.tell(one)
    return registry


def shadow(*calls: tuple[str, str, float]) -> CollectorRegistry:
    """Of calls by the revision that answered, the one that had answered, and the share that differs."""
    registry = CollectorRegistry()
    metrics = ShadowMetrics(registry)
    for revision, logged, share in calls:
        metrics.compared("names", revision, logged_revision=logged, share=share)
    return registry


def look(url: str, **asked: Any) -> Look:
    source = PrometheusSource(url, namespace="default", **asked)
    try:
        return source.look(canary=CANARY, stable=STABLE)
    finally:
        source.close()


@pytest.mark.parametrize("honor_labels", [False, True])
def test_alarms_of_a_detector_in_another_namespace(scraped: Callable[..., str], honor_labels: bool) -> None:
    url = scraped(
        detector=detector(
            verdict(CANARY, alarm=True),
            verdict(STABLE, alarm=False),
            verdict(CANARY, alarm=False, namespace="other"),
            verdict(STABLE, alarm=True, namespace="other"),
        ),
        namespaces={"detector": "monitoring"},
        honor_labels=honor_labels,
    )
    assert look(url, drift=True).drift == DriftAlarms(canary=True, stable=False)
    assert look(url).drift is None, "not asked"


def test_only_alarms_against_the_references_count(scraped: Callable[..., str]) -> None:
    url = scraped(
        detector=detector(
            verdict(CANARY, alarm=False),
            verdict(CANARY, alarm=True, baseline=STABLE),
            verdict(CANARY, alarm=True, baseline=STREAM),
            verdict(STABLE, alarm=True),
        )
    )
    assert look(url, drift=True).drift == DriftAlarms(canary=False, stable=True)


def test_no_alarm_is_not_said_where_there_is_no_verdict(scraped: Callable[..., str]) -> None:
    url = scraped(detector=detector(no_verdict(CANARY)), other=CollectorRegistry())
    assert look(url, drift=True).drift == DriftAlarms(canary=None, stable=None)


def test_replicas_of_a_detector_are_one(scraped: Callable[..., str]) -> None:
    url = scraped(
        one=detector(verdict(CANARY, alarm=False), verdict(STABLE, alarm=False)),
        two=detector(verdict(CANARY, alarm=True)),
    )
    assert look(url, drift=True).drift == DriftAlarms(canary=True, stable=False)


def test_shadows_are_added_up_of_what_the_stable_revision_had_answered(scraped: Callable[..., str]) -> None:
    url = scraped(
        one=shadow(
            (CANARY, STABLE, 0.5),
            (CANARY, STABLE, 1.0),
            (CANARY, STABLE, 0.0),
            (CANARY, CANARY, 0.0),
            ("names-predictor-00003", STABLE, 1.0),
        ),
        two=shadow((CANARY, STABLE, 0.25)),
        others=shadow((CANARY, STABLE, 1.0)),
        namespaces={"others": "other"},
    )
    assert look(url, shadow=True).shadow == ShadowCounts(compared=4, disagreeing=1.75)
    assert look(url).shadow is None, "not asked"


def test_no_comparison_runs(scraped: Callable[..., str]) -> None:
    assert look(scraped(one=shadow((STABLE, STABLE, 0.0))), shadow=True).shadow is None
