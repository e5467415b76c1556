"""The webhook beside the controller: answered with a certificate that the API server is told of."""

from __future__ import annotations

import json
import socket
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from modelserve.canary.admission.certificates import Certificate, make_certificate
from modelserve.canary.controller import admitting
from modelserve.canary.controller.admitting import Admitting, WebhookSettings
from modelserve.canary.rollout import Away
from modelserve.server.workers import StartError

SECRET = ("", "secrets", "modelserve", admitting.NAME)
CONFIGURATION = ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", admitting.NAME)


def settings(port: int = 0) -> WebhookSettings:
    return WebhookSettings("127.0.0.1", port, "127.0.0.1", "kserve")


def a_review(image: str) -> bytes:
    """Of a change of ``default/names``, whose image was ``a:1``."""
    old, new = (
        {
            "metadata": {"name": "names", "namespace": "default"},
            "spec": {"predictor": {"containers": [{"image": one}]}},
            "status": {"components": {"predictor": {"latestRolledoutRevision": "names-predictor-00001"}}},
        }
        for one in ("a:1", image)
    )
    return json.dumps({"request": {"uid": "7", "oldObject": old, "object": new}}).encode()


def secret_of(certificate: Certificate) -> dict[str, str]:
    pair = {"tls.crt": certificate.certificate, "tls.key": certificate.key}
    return {name: b64encode(value).decode() for name, value in pair.items()}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admitting, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(admitting, "_RETRY_SECONDS", 0.1)


@pytest.fixture
def configured(api_server: Any) -> None:
    """The cluster has a policy, and the webhook's configuration as the folder has it: without a bundle."""
    webhook = {"name": "a", "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": {}}
    api_server.put(*CONFIGURATION, webhooks=[webhook])
    policy = {"targetRef": {"name": "names"}}
    api_server.put("modelserve.dev", "canarypolicies", "default", "names", spec=policy)


@pytest.fixture
def webhook(connection: Any, configured: None) -> Iterator[Admitting]:
    with closing(Admitting(connection, "modelserve", settings())) as found:
        yield found


@pytest.fixture
def trusted(api_server: Any) -> Callable[[Callable[[Certificate], bool]], Certificate]:
    """Waits for the certificate that the API server is told to trust."""

    def trusted(is_it: Callable[[Certificate], bool]) -> Certificate:
        for _ in range(100):
            (one,) = api_server.find(*CONFIGURATION)["webhooks"]
            found = Certificate(b64decode(one["clientConfig"].get("caBundle", "")), b"")
            if found.certificate and is_it(found):
                return found
            time.sleep(0.05)
        raise AssertionError("it was told of no such certificate")

    return trusted


Call = Callable[..., httpx.Response]


def test_the_api_server_calls_it_with_what_it_was_told(webhook: Admitting, trusted: Any, call: Call) -> None:
    certificate = trusted(lambda _: True)
    response = call(webhook.port, certificate, a_review("a:2")).json()["response"]
    (operation,) = json.loads(b64decode(response["patch"]))
    assert operation == {"op": "add", "path": "/spec/predictor/canaryTrafficPercent", "value": 0}
    response = call(webhook.port, certificate, a_review("a:1")).json()["response"]
    assert response == {"uid": "7", "allowed": True}


def test_a_certificate_that_another_replica_renewed_is_shown_and_trusted(
    webhook: Admitting, trusted: Any, call: Call, api_server: Any
) -> None:
    first = trusted(lambda _: True)
    renewed = make_certificate("127.0.0.1", now=datetime.now(timezone.utc))
    api_server.put(*SECRET, data=secret_of(renewed))
    second = trusted(lambda one: one.certificate != first.certificate)
    assert second.certificate == renewed.certificate
    assert call(webhook.port, second, a_review("a:1")).status_code == 200
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        call(webhook.port, first, a_review("a:1"))


def test_one_that_ends_soon_is_renewed_while_it_serves(
    webhook: Admitting, trusted: Any, call: Call, api_server: Any
) -> None:
    first = trusted(lambda _: True)
    old = make_certificate("127.0.0.1", now=datetime.now(timezone.utc) - timedelta(days=61))
    api_server.put(*SECRET, data=secret_of(old))
    second = trusted(lambda one: one.certificate not in (first.certificate, old.certificate))
    assert second.is_good("127.0.0.1", now=datetime.now(timezone.utc) + timedelta(days=59))
    assert call(webhook.port, second, a_review("a:1")).status_code == 200


def test_it_goes_on_while_the_api_server_is_away_and_tells_it_afterwards(
    webhook: Admitting, trusted: Any, call: Call, api_server: Any
) -> None:
    certificate = trusted(lambda _: True)
    api_server.is_away = True
    answer = call(webhook.port, certificate, a_review("a:2"))
    assert (answer.status_code, "the cluster says 503" in answer.text) == (503, True)
    time.sleep(0.3)
    (one,) = api_server.find(*CONFIGURATION)["webhooks"]
    api_server.put(*CONFIGURATION, webhooks=[{**one, "clientConfig": {}}])
    api_server.is_away = False
    assert trusted(lambda _: True) == certificate
    assert "patch" in call(webhook.port, certificate, a_review("a:2")).json()["response"]


def test_a_configuration_that_comes_later_is_told_then(
    connection: Any, configured: None, api_server: Any, trusted: Any
) -> None:
    before = api_server.find(*CONFIGURATION)
    api_server.take_away(*CONFIGURATION)
    with closing(Admitting(connection, "modelserve", settings())):
        time.sleep(0.3)
        api_server.put(*CONFIGURATION, webhooks=before["webhooks"])
        trusted(lambda _: True)


def test_the_host_is_the_service_beside_the_controller(connection: Any, api_server: Any) -> None:
    with closing(Admitting(connection, "elsewhere", WebhookSettings("127.0.0.1", 0, None, "kserve"))):
        data = api_server.find("", "secrets", "elsewhere", admitting.NAME)["data"]
    found = Certificate(b64decode(data["tls.crt"]), b64decode(data["tls.key"]))
    assert found.is_good("modelserve-canary.elsewhere.svc", now=datetime.now(timezone.utc))


def test_why_it_cannot_begin_is_said(connection: Any, api_server: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} "):
            Admitting(connection, "modelserve", settings(port))
    api_server.is_away = True
    with pytest.raises(Away):
        Admitting(connection, "modelserve", settings())
