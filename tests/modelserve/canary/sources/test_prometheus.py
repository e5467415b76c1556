"""Counters of two revisions out of a real Prometheus, which scrapes pods that the test makes up."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modelserve.canary.judge.measurements import Counters, Look
from modelserve.canary.judge.measurements import Histogram as Buckets
from modelserve.canary.sources import NotMeasured
from modelserve.canary.sources.names import ISTIO, KNATIVE, MODELSERVE, Names
from modelserve.canary.sources.prometheus import PrometheusSource

STABLE, CANARY = "names-predictor-00001", "names-predictor-00002"


def ours(revision: str, *, ok: int, failed: int) -> CollectorRegistry:
    """A server of this package's, by its metrics."""
    registry = CollectorRegistry()
    whose = {"model": "names", "revision": revision}
    requests = Counter(
        "modelserve_requests_total", "", [*whose, "protocol", "outcome"], registry=registry
    ).labels
    seconds = Histogram(
        "modelserve_request_seconds", "", [*whose, "protocol"], buckets=(0.1, 1.0), registry=registry
    ).labels
    for protocol in ("v1", "v2"):
        requests(**whose, protocol=protocol, outcome="ok").inc(ok)
        requests(**whose, protocol=protocol, outcome="invalid_input").inc(1)
        requests(**whose, protocol=protocol, outcome="internal").inc(failed)
        for took in (0.05, 0.1, 0.5, 2.0):
            seconds(**whose, protocol=protocol).observe(took)
    labels = Counter("modelserve_predictions_total", "", [*whose, "label"], registry=registry)
    labels.labels(**whose, label="PER").inc(7)
    labels.labels(**whose, label="LOC").inc(3)
    return registry


def queue_proxy(revision: str) -> CollectorRegistry:
    """Knative's, which tells its revision in another series."""
    registry = CollectorRegistry()
    Gauge("target_info", "", ["kn_revision_name"], registry=registry).labels(revision).set(1)
    seconds = Histogram(
        "kn_serving_invocation_duration_seconds",
        "",
        ["http_response_status_code"],
        buckets=(0.1, 1.0),
        registry=registry,
    )
    for status in ("200", "200", "400", "503"):
        seconds.labels(status).observe(0.5)
    return registry


def sidecar(deployment: str) -> CollectorRegistry:
    """Istio's, of a Deployment."""
    registry = CollectorRegistry()
    whose = {
        "reporter": "destination",
        "destination_workload_namespace": "default",
        "destination_workload": deployment,
    }
    requests = Counter("istio_requests_total", "", [*whose, "response_code"], registry=registry)
    requests.labels(**whose, response_code="200").inc(5)
    requests.labels(**whose, response_code="500").inc(2)
    took = Histogram(
        "istio_request_duration_milliseconds", "", [*whose], buckets=(100.0, 1000.0), registry=registry
    )
    took.labels(**whose).observe(500)
    return registry


def look(url: str, **arguments: Any) -> Look:
    source = PrometheusSource(url, namespace="default", **arguments)
    try:
        return source.look(canary=CANARY, stable=STABLE)
    finally:
        source.close()


def test_servers_of_this_package(scraped: Callable[..., str]) -> None:
    url = scraped(
        old_a=ours(STABLE, ok=100, failed=0),
        old_b=ours(STABLE, ok=50, failed=2),
        new=ours(CANARY, ok=10, failed=1),
        other=ours("others-predictor-00001", ok=1, failed=1),
    )
    before = time.time()
    found = look(url, names=MODELSERVE)
    assert before <= found.at_seconds <= time.time()
    assert found.canary.keys() == {"new"}
    assert found.stable.keys() == {"old_a", "old_b"}
    assert found.canary["new"] == Counters(
        requests=24,
        errors=2,
        seconds=Buckets(edges=[0.1, 1.0], counts=[4, 2, 2]),
        labels={"PER": 7, "LOC": 3},
        confidence=None,
    )
    assert found.stable["old_b"].errors == 4


def test_any_container_by_knatives_own(scraped: Callable[..., str]) -> None:
    found = look(scraped(old=queue_proxy(STABLE), new=queue_proxy(CANARY)), names=KNATIVE)
    assert found.canary == {"new": Counters(4, 1, Buckets([0.1, 1.0], [0, 4, 0]))}
    assert found.stable.keys() == {"old"}


@pytest.mark.parametrize("suffix", ["-deployment", ""], ids=["Knative", "Standard"])
def test_any_container_by_the_mesh(suffix: str, scraped: Callable[..., str]) -> None:
    found = look(scraped(old=sidecar(STABLE + suffix), new=sidecar(CANARY + suffix)), names=ISTIO)
    assert found.canary == {"new": Counters(7, 2, Buckets([0.1, 1.0], [0, 1, 0]))}


def quiet(revision: str) -> CollectorRegistry:
    """A server of this package's that nobody called yet: no counter has a series."""
    registry = CollectorRegistry()
    loaded = Gauge("modelserve_model_loaded", "", ["model", "revision"], registry=registry)
    loaded.labels("names", revision).set(1)
    Counter("modelserve_requests_total", "", ["model", "revision", "outcome"], registry=registry)
    return registry


@pytest.mark.parametrize(
    ("names", "registry"),
    [(MODELSERVE, quiet(STABLE)), (KNATIVE, queue_proxy(STABLE)), (ISTIO, CollectorRegistry())],
)
def test_a_quiet_revision_is_told_from_one_that_is_not_scraped(
    names: Names, registry: CollectorRegistry, scraped: Callable[..., str]
) -> None:
    source = PrometheusSource(
        scraped(**{f"{STABLE}-deployment-a-b": registry}), namespace="default", names=names
    )
    source.expect_presence(STABLE)
    with pytest.raises(NotMeasured, match=rf"has seen nothing of {CANARY} within a day \(.*{CANARY}.*\[1d\]"):
        source.expect_presence(CANARY)
    source.close()


def test_a_revision_of_another_namespace_is_not_meant(scraped: Callable[..., str]) -> None:
    source = PrometheusSource(scraped(old=quiet(STABLE)), namespace="elsewhere")
    with pytest.raises(NotMeasured, match='namespace="elsewhere"'):
        source.expect_presence(STABLE)
    source.close()


def test_nothing_is_known_of_a_revision(scraped: Callable[..., str]) -> None:
    found = look(scraped(old=ours(STABLE, ok=1, failed=0)))
    assert (found.canary, len(found.stable)) == ({}, 1)


def test_what_is_no_prometheus(
    free_port: int, pod: Callable[[Callable[[], bytes]], AbstractContextManager[int]]
) -> None:
    with pytest.raises(NotMeasured, match="Prometheus does not answer"):
        look(f"http://127.0.0.1:{free_port}")
    with pod(lambda: b"hello") as port, pytest.raises(NotMeasured, match="no answer of Prometheus's"):
        look(f"http://127.0.0.1:{port}")


def test_a_refused_question_is_told(scraped: Callable[..., str]) -> None:
    source = PrometheusSource(scraped(new=ours(CANARY, ok=1, failed=0)), namespace='x"}')
    with pytest.raises(NotMeasured, match=r"Prometheus refuses .*: invalid parameter"):
        source.look(canary=CANARY, stable=STABLE)
    source.close()
