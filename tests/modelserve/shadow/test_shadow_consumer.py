"""Halves of mirrored calls on their way to a live shadow."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from modelserve.events import Component, Joiner
from modelserve.shadow.comparison import Shadow
from modelserve.shadow.consumer import ShadowConsumer
from modelserve.shadow.live import LiveShadow
from modelserve.shadow.metrics import ShadowMetrics
from modelserve.shadow.rate import TokenBucket
from modelserve.shadow.replaying import Replayer
from modelserve.shadow.results import Results
from modelserve.shadow.verdicts import Criteria

PREDICTOR = Component("default", "bert-ner", "predictor")


class Watched:
    """A consumer before a shadow whose server is not there: calls that get so far are counted as failed."""

    def __init__(self, url: str, joiner: Joiner) -> None:
        self.events: Counter[str] = Counter()
        self.results = Results(Criteria(), examples=0)
        metrics = ShadowMetrics(CollectorRegistry())
        shadow = Shadow(Replayer(url), self.results, metrics, rate=TokenBucket(1e6))
        self.live = LiveShadow(shadow, at_once=100)
        self.consumer = ShadowConsumer(self.live, PREDICTOR, joiner, self._count)

    def _count(self, outcome: str, number: int) -> None:
        self.events[outcome] += number

    def close(self) -> dict[str, int]:
        """What became of the calls."""
        self.consumer.close()
        self.live.close(timeout_seconds=30)
        return dict(self.results.outcomes)


@pytest.fixture
async def nobody() -> AsyncIterator[str]:
    """An address where nobody listens."""
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


async def test_whole_calls_of_one_component_are_handed_on(nobody: str, calls: Any) -> None:
    one = Watched(nobody, Joiner())
    mine, repeated, half = (calls.pair(number, calls.answer()) for number in range(3))
    others = [
        calls.pair(number, calls.answer(), component=component)
        for number, component in enumerate(
            [
                Component("default", "bert-ner-candidate", "predictor"),
                Component("default", "bert-ner", "transformer"),
                Component("other", "bert-ner", "predictor"),
            ]
        )
    ]
    replay = replace(mine.request, id="modelserve-shadow-call-0")
    messages = [
        *(mine.response, mine.request),
        *(repeated.request, repeated.request, repeated.response, repeated.response),
        half.request,
        replay,
        *(side for pair in others for side in (pair.request, pair.response)),
    ]
    for message in messages:
        one.consumer.take(message)
    assert one.close() == {"failed_unreachable": 2}
    assert one.events == {"paired": 4, "duplicate": 2, "replay": 1, "other_component": 6}


async def test_a_half_whose_other_half_does_not_come_is_given_up(nobody: str, calls: Any) -> None:
    one = Watched(nobody, Joiner(wait_seconds=0.05))
    first, second = calls.pair(0, calls.answer()), calls.pair(1, calls.answer())
    one.consumer.take(first.request)
    one.consumer.take(second.response)
    time.sleep(0.1)
    one.consumer.idle()
    assert one.events == {"half_request": 1, "half_response": 1}
    one.consumer.take(first.response)
    one.consumer.idle()
    assert one.events == {"half_request": 1, "half_response": 2}
    assert one.close() == {}


async def test_halves_that_wait_take_no_more_room_than_they_are_given(nobody: str, calls: Any) -> None:
    joiner = Joiner(most_bytes=50_000)
    one = Watched(nobody, joiner)
    for number in range(100):
        one.consumer.take(calls.pair(number, calls.answer(), text="x" * 10_000).request)
        assert joiner.waiting_bytes <= 50_000
    one.consumer.idle()
    assert one.events == {"displaced": 96}
    assert one.close() == {}
