"""The webhook's certificate: for one host, renewed in time, one for all replicas."""

from __future__ import annotations

from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from modelserve.canary.admission.certificates import Certificate, SharedCertificate, make_certificate, trust
from modelserve.canary.rollout import Away

HOST = "modelserve-canary.modelserve.svc"
NOW = datetime.now(timezone.utc)


@pytest.mark.parametrize(
    ("host", "days", "is_good"),
    [(HOST, 0, True), (HOST, 59, True), (HOST, 61, False), ("modelserve-canary.elsewhere.svc", 0, False)],
)
def test_it_is_good_for_its_host_until_it_is_time_to_renew_it(host: str, days: int, is_good: bool) -> None:
    assert make_certificate(HOST, now=NOW).is_good(host, now=NOW + timedelta(days=days)) is is_good


def test_what_is_no_certificate_is_not_good() -> None:
    assert not Certificate(b"", b"").is_good(HOST, now=NOW)


def test_replicas_that_start_together_share_one(connection: Any, api_server: Any) -> None:
    def get(_: int) -> Certificate:
        return SharedCertificate(connection, "modelserve", "modelserve-canary", HOST).get()

    with ThreadPoolExecutor(8) as replicas:
        found = set(replicas.map(get, range(8)))
    assert len(found) == 1
    secret = api_server.find("", "secrets", "modelserve", "modelserve-canary")
    assert secret["type"] == "kubernetes.io/tls"
    assert b64decode(secret["data"]["tls.crt"]) == found.pop().certificate


def test_one_that_ends_soon_or_is_for_another_host_is_replaced(connection: Any, api_server: Any) -> None:
    first = SharedCertificate(connection, "modelserve", "modelserve-canary", "before.modelserve.svc").get()
    shared = SharedCertificate(connection, "modelserve", "modelserve-canary", HOST)
    second = shared.get()
    assert second != first
    assert shared.get() == second
    api_server.put("", "secrets", "modelserve", "modelserve-canary", data={})
    assert shared.get() not in (first, second)


def test_the_api_server_is_told_once(connection: Any, api_server: Any) -> None:
    usual = {"admissionReviewVersions": ["v1"], "name": "a", "sideEffects": "None"}
    webhooks = [{**usual, "clientConfig": said} for said in ({}, {"caBundle": "b2xk"})]
    where = ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", "modelserve-canary")
    api_server.put(*where, webhooks=webhooks)
    certificate = make_certificate(HOST, now=NOW)
    for _ in range(2):
        trust(connection, "modelserve-canary", certificate)
    told = [b64decode(one["clientConfig"]["caBundle"]) for one in api_server.find(*where)["webhooks"]]
    assert told == [certificate.certificate] * 2
    assert [one.verb for one in api_server.asked] == ["get", "patch", "get"]


def test_an_api_server_that_is_away_is_said(connection: Any, api_server: Any) -> None:
    api_server.is_away = True
    with pytest.raises(Away):
        SharedCertificate(connection, "modelserve", "modelserve-canary", HOST).get()
    with pytest.raises(Away):
        trust(connection, "modelserve-canary", make_certificate(HOST, now=NOW))
