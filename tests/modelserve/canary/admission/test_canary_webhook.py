"""The webhook over HTTPS, as the API server calls it."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest

from modelserve.canary.admission.certificates import Certificate, make_certificate
from modelserve.canary.admission.reviews import Change
from modelserve.canary.admission.server import WebhookServer
from modelserve.canary.rollout import Away

PATCH = [{"op": "add", "path": "/spec/predictor/canaryTrafficPercent", "value": 0}]
OLD: dict[str, Any] = {"metadata": {"name": "names", "namespace": "default"}, "spec": {"predictor": {}}}


def a_review(**more: Any) -> bytes:
    request = {
        "uid": "7",
        "operation": "UPDATE",
        "oldObject": OLD,
        "object": {**OLD, "new": True},
        "options": {"fieldManager": "kubectl"},
        **more,
    }
    whole = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(whole).encode()


@pytest.fixture
def certificate() -> Certificate:
    return make_certificate("127.0.0.1", now=datetime.now(timezone.utc))


@pytest.fixture
def seen() -> list[Change]:
    """All changes that were to be decided about."""
    return []


@pytest.fixture
def decisions() -> list[Any]:
    """What is decided, or raised, in turn; then nothing is changed."""
    return []


@pytest.fixture
def webhook(
    certificate: Certificate, seen: list[Change], decisions: list[Any]
) -> Iterator[tuple[WebhookServer, int]]:
    def decide(change: Change) -> list[dict[str, Any]]:
        seen.append(change)
        found = decisions.pop(0) if decisions else []
        if isinstance(found, Exception):
            raise found
        if callable(found):
            found()
            return []
        return list(found)

    server = WebhookServer(decide, certificate)
    port = server.start("127.0.0.1", 0)
    yield server, port
    server.stop()


Call = Callable[..., httpx.Response]


def test_a_change_is_let_in_with_a_patch(
    webhook: Any, certificate: Certificate, seen: list[Change], decisions: list[Any], call: Call
) -> None:
    decisions.append(PATCH)
    answer = call(webhook[1], certificate, a_review())
    response = answer.json()["response"]
    assert (answer.status_code, response["uid"], response["allowed"]) == (200, "7", True)
    assert response["patchType"] == "JSONPatch"
    assert json.loads(b64decode(response["patch"])) == PATCH
    (change,) = seen
    assert (change.name, change.manager, change.new["new"]) == (("default", "names"), "kubectl", True)
    assert call(webhook[1], certificate, a_review(options=None)).json()["response"] == {
        "uid": "7",
        "allowed": True,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"request": null}',
        b'{"request": {"uid": "1"}}',
        b'{"request": []}',
        a_review(options="kubectl"),
        a_review(oldObject=None),
        a_review(object=None),
    ],
)
def test_what_is_no_review_is_refused_with_a_sentence(
    body: bytes, webhook: Any, certificate: Certificate, decisions: list[Any], call: Call
) -> None:
    decisions.append(TypeError("'NoneType' object is not subscriptable"))
    answer = call(webhook[1], certificate, body)
    assert answer.status_code == 400
    assert "an AdmissionReview of an updated InferenceService is accepted" in answer.text


def test_what_cannot_be_decided_is_said_to_be_away(
    webhook: Any, certificate: Certificate, decisions: list[Any], call: Call
) -> None:
    decisions.append(Away("the API server does not answer"))
    answer = call(webhook[1], certificate, a_review())
    assert (answer.status_code, answer.text) == (503, "the API server does not answer")
    assert call(webhook[1], certificate, a_review()).status_code == 200


def test_other_paths_and_too_much(webhook: Any, certificate: Certificate, call: Call) -> None:
    assert call(webhook[1], certificate, a_review(), path="/").text == "POST /mutate is accepted"
    assert call(webhook[1], certificate, b"x" * (8 * 1024 * 1024 + 1)).status_code == 413


def test_a_renewed_certificate_is_shown_from_then_on(
    webhook: Any, certificate: Certificate, call: Call
) -> None:
    server, port = webhook
    another = make_certificate("127.0.0.1", now=datetime.now(timezone.utc))
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        call(port, another, a_review())
    server.renew(another)
    assert call(port, another, a_review()).status_code == 200
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        call(port, certificate, a_review())


def test_what_was_asked_is_answered_before_it_ends(
    webhook: Any, certificate: Certificate, decisions: list[Any], call: Call
) -> None:
    server, port = webhook
    arrived, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        arrived.set()
        go_on.wait(10)

    decisions.append(wait)
    with ThreadPoolExecutor(2) as threads:
        asked = threads.submit(call, port, certificate, a_review())
        assert arrived.wait(10)
        stopping = threads.submit(server.stop)
        go_on.set()
        assert asked.result(10).status_code == 200
        stopping.result(10)
