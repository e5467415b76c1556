"""More than there is room for: the memory has a bound, and whatever finds no room is counted."""

from __future__ import annotations

import json
from collections import deque
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from modelserve.events import Component, LoggedMessage, Side
from modelserve.events.sink import SinkLimits
from modelserve.events.sink.backlog import Backlog

PREDICTOR = Component("default", "bert-ner", "predictor")
KIBIBYTE = 1024
ROOM = 400 * KIBIBYTE


@pytest.fixture
def held(start_sink: Any) -> Any:
    """A sink with little room, whose consumer has a message in hand and does not end."""
    sink = start_sink(queue_messages=10, max_event_bytes=200 * KIBIBYTE, queue_bytes=ROOM)
    sink.consumer.go_on.clear()
    sink.post(name="in work")
    return sink


def test_messages_without_room_are_acknowledged_and_dropped(held: Any) -> None:
    for number in range(15):
        assert held.post(name=str(number)).status_code == 202
    assert held.outcomes() == {"dropped": 6}
    assert held.gauge("queue_messages") == 10
    held.consumer.go_on.set()
    held.ends_with(taken=10, dropped=6)
    assert [m.id for m in held.consumer.messages] == ["in work", *map(str, range(9))]
    assert held.post().status_code == 202
    held.ends_with(taken=11, dropped=6)


def test_of_a_batch_is_taken_what_has_room(held: Any) -> None:
    event = {
        **{"specversion": "1.0", "source": "/", "type": "org.kubeflow.serving.inference.request"},
        **{"namespace": "default", "inferenceservicename": "bert-ner", "component": "predictor"},
    }
    batch = json.dumps([{**event, "id": str(number)} for number in range(12)])
    headers = {"content-type": "application/cloudevents-batch+json"}
    assert held.client.post("/", content=batch, headers=headers).status_code == 202
    held.consumer.go_on.set()
    held.ends_with(taken=10, dropped=3)


def test_bytes_have_a_bound_too(held: Any) -> None:
    for number in range(5):
        assert held.post(b"x" * 150 * KIBIBYTE, str(number)).status_code == 202
        assert held.gauge("queue_bytes") <= ROOM
    held.consumer.go_on.set()
    held.ends_with(taken=3, dropped=3)


def test_bodies_that_are_being_read_count(held: Any, agent: Any) -> None:
    """A sender of an event is acknowledged, one of a batch is told to come again; both when they are done."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in agent().items())
    batch = "content-type: application/cloudevents-batch+json\r\n"
    part = b"x" * 150 * KIBIBYTE
    with ExitStack() as senders:
        connections = [senders.enter_context(held.connect()) for _ in range(8)]
        for number, connection in enumerate(connections):
            head = f"POST / HTTP/1.1\r\nhost: sink\r\n{batch if number % 2 else fields}"
            connection.sendall(f"{head}content-length: {len(part) + 1}\r\n\r\n".encode() + part)
            if number < 2:
                held.eventually(lambda n=number: held.gauge("queue_bytes") > (n + 1) * len(part))
            assert held.gauge("queue_bytes") <= ROOM
        assert held.outcomes() == {}
        for connection in connections:
            connection.sendall(b"x")
        answers = [connection.recv(65536).partition(b"\r\n")[0] for connection in connections]
    # Room was for the first two: an event, and a batch that is none.
    assert answers[:2] == [b"HTTP/1.1 202 Accepted", b"HTTP/1.1 400 Bad Request"]
    assert answers[2:] == [b"HTTP/1.1 202 Accepted", b"HTTP/1.1 503 Service Unavailable"] * 3
    assert held.outcomes() == {"malformed": 1, "dropped": 3, "refused": 3}
    held.consumer.go_on.set()
    held.ends_with(taken=2, malformed=1, dropped=3, refused=3)


def test_a_queue_that_holds_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="at least twice max_event_bytes, which is 100, is accepted"):
        SinkLimits(max_event_bytes=100, queue_bytes=199)


class Backlogs(RuleBasedStateMachine):
    """Whatever comes and goes, beside a list that has no bounds."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog(most_messages=5, most_bytes=10_000)
        self.waiting: deque[LoggedMessage] = deque()
        self.in_work: deque[LoggedMessage] = deque()
        self.reserved: list[int] = []

    @rule(sizes=st.lists(st.integers(0, 6_000), max_size=4))
    def put(self, sizes: list[int]) -> None:
        messages = [LoggedMessage(PREDICTOR, "1", Side.REQUEST, 0.0, b"x" * size) for size in sizes]
        number = self.backlog.put(messages)
        self.waiting.extend(messages[:number])
        if number < len(sizes) and len(self.backlog) < 5:
            assert self.backlog.size + sizes[number] > 8_000, "there was room"

    @rule(size=st.integers(0, 12_000))
    def reserve(self, size: int) -> None:
        if self.backlog.reserve(size):
            self.reserved.append(size)

    @rule()
    def release(self) -> None:
        if self.reserved:
            self.backlog.release(self.reserved.pop())

    @rule()
    def get(self) -> None:
        got = self.backlog.get(timeout_seconds=0)
        assert got == list(self.waiting)
        self.in_work.extend(got)
        self.waiting.clear()

    @rule()
    def done(self) -> None:
        if self.in_work:
            self.backlog.done(self.in_work.popleft())

    @invariant()
    def it_is_bounded_and_forgets_nothing(self) -> None:
        kept = [*self.waiting, *self.in_work]
        assert len(self.backlog) == len(kept) <= 5
        assert sum(self.reserved) + sum(len(m.body) for m in kept) <= self.backlog.size <= 10_000
        if not kept:
            assert self.backlog.size == sum(self.reserved)


TestBacklogs = Backlogs.TestCase
TestBacklogs.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
