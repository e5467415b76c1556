"""What is taken, and what its senders are told: by httpx and the CloudEvents SDK, which we did not write."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent

from modelserve.events import Component, Joiner, Side

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
PREDICTOR = Component("default", "bert-ner", "predictor")


def document(name: str = "1", **attributes: Any) -> dict[str, Any]:
    """An event in JSON."""
    return {
        "specversion": "1.0",
        "id": name,
        "source": "http://localhost:9081/",
        "type": "org.kubeflow.serving.inference.request",
        "namespace": "default",
        "inferenceservicename": "bert-ner",
        "component": "predictor",
        "data": {"instances": []},
        **attributes,
    }


def test_both_halves_of_a_call(sink: Any) -> None:
    for side in ("request", "response"):
        answer = sink.post(b'{"a": "\xc3\xa9"}', "7", side)
        assert (answer.status_code, answer.content) == (202, b"")
    sink.ends_with(taken=2)
    request, response = sink.consumer.messages
    assert (request.component, request.id, request.side) == (PREDICTOR, "7", Side.REQUEST)
    assert (response.component, response.id, response.side) == (PREDICTOR, "7", Side.RESPONSE)
    assert request.body == b'{"a": "\xc3\xa9"}'
    assert request.time == pytest.approx(1795626398.412774)


@pytest.mark.parametrize("convert", [to_binary, to_structured])
def test_the_sdks_events(sink: Any, convert: Any) -> None:
    attributes = {k: v for k, v in document("a-1").items() if k != "data"}
    headers, body = convert(CloudEvent(attributes, {"instances": ["Zoë"]}))
    assert httpx.post(f"{sink.url}/modelserve/default", headers=headers, content=body).status_code == 202
    sink.ends_with(taken=1)
    (message,) = sink.consumer.messages
    assert (message.component, message.id) == (PREDICTOR, "a-1")
    assert json.loads(message.body) == {"instances": ["Zoë"]}


def test_a_batch(sink: Any) -> None:
    batch = [document("1"), document("2", type="com.example.other"), document("3")]
    assert sink.client.post("/", json=batch, headers=BATCH).status_code == 202
    assert sink.client.post("/", json=[], headers=BATCH).status_code == 202
    sink.ends_with(taken=2, unknown_type=1)
    assert [message.id for message in sink.consumer.messages] == ["1", "3"]


def test_unknown_types_are_acknowledged_so_that_no_broker_sends_them_again(sink: Any, agent: Any) -> None:
    headers = {**agent(), "ce-type": "dev.modelserve.drift.detected"}
    assert sink.client.post("/", headers=headers).status_code == 202
    sink.ends_with(unknown_type=1)


def test_what_comes_again_or_in_another_order_is_for_the_consumer(sink: Any) -> None:
    halves = [("b", "response"), ("a", "request"), ("b", "request"), ("a", "request"), ("a", "response")]
    halves += [("c", "request"), ("b", "response")]
    for name, side in halves:
        sink.post(b"{}", name, side)
    sink.ends_with(taken=7)
    joiner = Joiner()
    pairs = [joiner.offer(message, now=0) for message in sink.consumer.messages]
    assert [pair.request.id for pair in pairs if pair] == ["b", "a"]
    assert joiner.outcomes == {"paired": 4, "duplicate": 2}
    assert len(joiner) == 1


@pytest.mark.parametrize(
    ("headers", "body", "sentence"),
    [
        ({}, b"{}", "no header ce-specversion"),
        ({"content-type": "text/plain"}, b"", "no header ce-specversion"),
        (STRUCTURED, b"{", "no JSON"),
        (STRUCTURED, b"[]", "no JSON object"),
        (STRUCTURED, json.dumps(document(id="")).encode(), "no id"),
        (STRUCTURED, json.dumps(document(component=None)).encode(), "does not name"),
        ({"content-type": "application/cloudevents+avro"}, b"", "application/cloudevents+avro"),
        (BATCH, json.dumps([document("1"), {}]).encode(), "no id"),
        (BATCH, json.dumps([document("1"), document("2", component="")]).encode(), "does not name"),
    ],
)
def test_what_is_no_event_is_told_so(sink: Any, headers: Any, body: bytes, sentence: str) -> None:
    answer = sink.client.post("/", headers=headers, content=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert sentence in answer.json()["error"]
    assert list(answer.json()) == ["error"]
    sink.ends_with(malformed=1)
    assert sink.consumer.messages == []


def test_what_is_too_large(sink: Any, agent: Any) -> None:
    size = 1024 * 1024
    assert sink.post(b"x" * size).status_code == 202
    declared = sink.post(b"x" * (size + 1))
    assert declared.status_code == 413
    assert f"at most {size} bytes are accepted" in declared.json()["error"]
    chunked = sink.client.post("/", headers=agent(), content=iter([b"x" * size, b"x"]))
    assert chunked.status_code == 413
    many = sink.client.post("/", headers=BATCH, content=json.dumps([document()] * 1001).encode())
    assert (many.status_code, "at most 1000" in many.json()["error"]) == (413, True)
    values = sink.client.post("/", headers=STRUCTURED, content=b"[" + b"," * 1_000_001)
    assert (values.status_code, "binary mode" in values.json()["error"]) == (413, True)
    assert sink.post().status_code == 202, "and the connection goes on"
    sink.ends_with(taken=2, oversized=4)


def test_its_pages(sink: Any) -> None:
    assert sink.client.get("/health/live").json() == {"live": True}
    assert sink.client.get("/health/ready").json() == {"ready": True}
    assert sink.client.head("/health/ready").status_code == 200
    metrics = sink.client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert 'modelserve_drift_events_total{outcome="malformed"} 0.0' in metrics.text
    assert "modelserve_drift_queue_bytes 0.0" in metrics.text
    asked = sink.client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert asked.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("PUT", "/"), ("DELETE", "/metrics"), ("OPTIONS", "/")]
)
def test_other_methods(sink: Any, method: str, path: str) -> None:
    answer = sink.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert "accepted" in answer.json()["error"]
    assert sink.outcomes() == {}
