"""Events of KServe's agent, as halves of calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from modelserve.events import Component, Event, EventError, Rejection, Side, logged_message

EVENT = Event(
    id="1",
    source="http://localhost:9081/",
    type="org.kubeflow.serving.inference.response",
    time=datetime(2026, 11, 25, tzinfo=timezone.utc),
    data=b"{}",
    extensions={"namespace": "default", "inferenceservicename": "bert-ner", "component": "predictor"},
)


def test_a_half_of_a_call() -> None:
    message = logged_message(EVENT)
    assert message.component == Component("default", "bert-ner", "predictor")
    assert (message.id, message.side, message.time, message.body) == (
        "1",
        Side.RESPONSE,
        EVENT.time.timestamp(),
        b"{}",
    )
    assert message.side.other is Side.REQUEST


@pytest.mark.parametrize(
    "event_type", ["", "org.kubeflow.serving.inference.", "dev.modelserve.drift.detected"]
)
def test_other_types(event_type: str) -> None:
    with pytest.raises(
        EventError, match=r"is unknown; org\.kubeflow\.serving\.inference\.request and"
    ) as caught:
        logged_message(replace(EVENT, type=event_type))
    assert caught.value.rejection is Rejection.UNKNOWN_TYPE


@pytest.mark.parametrize("name", ["namespace", "inferenceservicename", "component"])
def test_an_event_of_nobody(name: str) -> None:
    with pytest.raises(EventError, match="does not name") as caught:
        logged_message(replace(EVENT, extensions={**EVENT.extensions, name: ""}))
    assert caught.value.rejection is Rejection.MALFORMED
