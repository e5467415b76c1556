"""CloudEvents over HTTP: every mode says the same, and what is none is told why."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent, from_http
from hypothesis import given
from hypothesis import strategies as st

from modelserve.events import Event, EventError, Rejection, read_events, write_event

# What KServe 0.20.0's agent sent of a V1 call, its host names shortened.
AGENT = {
    "ce-component": "predictor",
    "ce-endpoint": "",
    "ce-id": "7d3b4c7e-5a51-4b7c-9d8e-0d7e0d2f2a10",
    "ce-inferenceservicename": "bert-ner",
    "ce-namespace": "default",
    "ce-source": "http://localhost:9081/",
    "ce-specversion": "1.0",
    "ce-time": "2026-11-25T17:06:38.412774003Z",
    "ce-type": "org.kubeflow.serving.inference.request",
    "content-type": "application/json",
}
BODY = b'{"instances": ["Merkel in  Berlin"]}'
BINARY = dict(AGENT)
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)
times = st.datetimes(
    min_value=datetime(1970, 1, 2),
    max_value=datetime(2100, 1, 1),
    timezones=st.builds(timezone, st.integers(-14 * 60, 14 * 60).map(lambda m: timedelta(minutes=m))),
)
plain = st.from_regex(r"[!#$&-~]{1,30}", fullmatch=True)


def events_of(values: st.SearchStrategy[str]) -> st.SearchStrategy[Event]:
    return st.builds(
        Event,
        id=values,
        source=values,
        type=values,
        time=times,
        data=st.binary(max_size=100),
        content_type=st.sampled_from(["application/json", "application/octet-stream", "image/jpeg"]),
        subject=st.none() | values,
        extensions=st.dictionaries(st.from_regex(r"x[a-z0-9]{1,10}", fullmatch=True), values, max_size=3),
    )


events = events_of(texts)


def structured(event: Event) -> dict[str, Any]:
    """As the JSON event format has it, data in base64."""
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time.isoformat(),
        "datacontenttype": event.content_type,
        "data_base64": base64.b64encode(event.data).decode(),
        **event.extensions,
    }
    if event.subject is not None:
        made["subject"] = event.subject
    return made


def test_what_kserves_agent_sends() -> None:
    (event,) = read_events(BINARY, BODY)
    assert event.data == BODY, "byte for byte"
    assert (event.id, event.source, event.type) == (
        AGENT["ce-id"],
        AGENT["ce-source"],
        "org.kubeflow.serving.inference.request",
    )
    assert event.time == datetime(2026, 11, 25, 17, 6, 38, 412774, timezone.utc)
    assert event.content_type == "application/json"
    assert event.extensions["inferenceservicename"] == "bert-ner"


@given(events)
def test_binary_there_and_back(event: Event) -> None:
    headers, body = write_event(event)
    assert read_events(headers, body) == [event]
    assert all(value.isascii() for name, value in headers.items())


@given(st.lists(events, max_size=5))
def test_a_batch_is_its_events(several: list[Event]) -> None:
    body = json.dumps([structured(event) for event in several]).encode()
    assert read_events(BATCH, body) == several
    assert [read_events(STRUCTURED, json.dumps(structured(one)).encode())[0] for one in several] == several


@pytest.mark.parametrize(
    ("content_type", "data", "expected"),
    [
        ("application/json", {"a": [1, "é"]}, '{"a":[1,"é"]}'.encode()),
        ("application/json", "text", b'"text"'),
        (None, [1], b"[1]"),
        ("text/plain", "text", b"text"),
        ("application/vnd.api+json", 1.5, b"1.5"),
        ("application/json", False, b"false"),
    ],
)
def test_structured_data(content_type: str | None, data: Any, expected: bytes) -> None:
    attributes = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": data}
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    (event,) = read_events(STRUCTURED, json.dumps(attributes).encode())
    assert event.data == expected


@pytest.mark.parametrize("write", [to_binary, to_structured])
def test_what_the_sdk_writes_is_read(write: Any) -> None:
    made = CloudEvent({"type": "t", "source": "/s", "subject": "what"}, {"a": 1})
    headers, body = write(made)
    (event,) = read_events(headers, body)
    assert (event.id, event.subject) == (made["id"], "what")
    assert json.loads(event.data) == {"a": 1}
    assert event.time == datetime.fromisoformat(made["time"])


# The SDK that KServe brings does not decode what the binding has encoded in headers.
@given(events_of(plain))
def test_what_is_written_the_sdk_reads(event: Event) -> None:
    read = from_http(*write_event(event), data_unmarshaller=lambda data: data)
    assert (read["id"], read["source"], read["type"]) == (event.id, event.source, event.type)
    assert datetime.fromisoformat(read["time"]) == event.time
    assert (read.data or b"") == event.data
    assert {name: read[name] for name in event.extensions} == event.extensions


def test_the_content_type_decides_where_headers_repeat_a_structured_event() -> None:
    body = json.dumps({"specversion": "1.0", "id": "inner", "source": "/s", "type": "t"}).encode()
    (event,) = read_events({**BINARY, **STRUCTURED}, body)
    assert event.id == "inner"


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in BINARY.items() if name not in names}


whole = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


@pytest.mark.parametrize(
    ("headers", "body", "sentence"),
    [
        ({}, BODY, "no header ce-specversion"),
        ({"content-type": "application/json"}, BODY, "no header ce-specversion"),
        ({"content-type": "application/cloudevents+avro"}, BODY, "application/cloudevents\\+avro"),
        (without("ce-id"), BODY, "has no id"),
        (without("ce-id", "ce-type"), BODY, "has no id and no type"),
        ({**BINARY, "ce-id": ""}, BODY, "has no id"),
        ({**BINARY, "ce-specversion": "0.3"}, BODY, "specversion is '0.3'; '1.0'"),
        ({**BINARY, "ce-time": "yesterday"}, BODY, "time is 'yesterday'"),
        ({**BINARY, "ce-time": "2026-11-25T17:06:38"}, BODY, "time is '2026-11-25T17:06:38'"),
        ({**BINARY, "ce-time": "2026-02-30T17:06:38Z"}, BODY, "day is out of range"),
        ({**BINARY, "ce-a_b": "x"}, BODY, "lower-case letters and digits"),
        (STRUCTURED, b"{", "no JSON"),
        (STRUCTURED, b"\xff", "no JSON"),
        (STRUCTURED, b"[]", "no JSON object"),
        (STRUCTURED, json.dumps({**whole, "id": None}).encode(), "has no id"),
        (STRUCTURED, json.dumps({**whole, "id": 7}).encode(), "id is no text"),
        (STRUCTURED, json.dumps({**whole, "time": 7}).encode(), "time is no text"),
        (STRUCTURED, json.dumps({**whole, "data_base64": "%"}).encode(), "no base64"),
        (STRUCTURED, json.dumps({**whole, "data_base64": "é"}).encode(), "no base64"),
        (STRUCTURED, json.dumps({**whole, "data_base64": "aa==", "data": 1}).encode(), "both data and"),
        (BATCH, b"{}", "no JSON array"),
        (BATCH, b"[1]", "no JSON object"),
        (BATCH, json.dumps([whole, {}]).encode(), "has no id"),
    ],
)
def test_what_is_no_event(headers: dict[str, str], body: bytes, sentence: str) -> None:
    with pytest.raises(EventError, match=sentence) as caught:
        read_events(headers, body)
    assert caught.value.rejection is Rejection.MALFORMED
    assert "accepted" in str(caught.value)


def test_a_batch_has_an_end() -> None:
    with pytest.raises(EventError, match="holds 1001 events; at most 1000") as caught:
        read_events(BATCH, json.dumps([whole] * 1001).encode())
    assert caught.value.rejection is Rejection.OVERSIZED


@given(
    st.dictionaries(
        st.sampled_from([*AGENT, "ce-subject", "ce-dataschema", "ce-data", "ce-"]),
        texts | st.sampled_from([*STRUCTURED.values(), *BATCH.values(), "1.0"]),
    ),
    st.binary(max_size=50)
    | st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | texts,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*whole, "time", "data", "data_base64", "x"]), inner)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)
def test_whatever_is_sent_is_an_event_or_is_refused(headers: dict[str, str], body: bytes) -> None:
    with contextlib.suppress(EventError):
        assert all(event.id and event.source and event.type for event in read_events(headers, body))
