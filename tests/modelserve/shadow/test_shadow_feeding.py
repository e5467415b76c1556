"""A log of calls given to a shadow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from modelserve.events import Component, Event, EventError, Pair, Rejection
from modelserve.shadow.comparison import Shadow
from modelserve.shadow.feeding import AmbiguousLogError, Choice, LoggedCalls, feed
from modelserve.shadow.metrics import ShadowMetrics
from modelserve.shadow.rate import TokenBucket
from modelserve.shadow.replaying import Replayer
from modelserve.shadow.results import Results
from modelserve.shadow.verdicts import Criteria

RESNET = Component("default", "resnet-classifier", "predictor")
TRANSFORMER = Component("default", "bert-ner", "transformer")


def test_halves_are_joined_in_any_order(calls: Any) -> None:
    pairs = [calls.pair(number, calls.answer()) for number in range(3)]
    logged = LoggedCalls(reversed(calls.events(*pairs)), Choice())
    assert list(logged) == list(reversed(pairs))
    assert logged.outcomes == {"paired": 6}
    assert logged.component == pairs[0].component


def test_whatever_else_is_in_the_log_is_counted(calls: Any) -> None:
    events = calls.events(calls.pair(0, calls.answer()), calls.pair(1, calls.answer()))
    other = replace(events[0], type="dev.modelserve.drift.detected")
    nobody = replace(events[0], extensions={})
    replayed = replace(events[0], id="modelserve-shadow-call-0")
    logged = LoggedCalls([*events[:3], events[0], other, nobody, replayed], Choice())
    assert len(list(logged)) == 1
    assert logged.outcomes == {
        **{"paired": 2, "duplicate": 1, "waiting": 1},
        **{"unknown_type": 1, "malformed": 1, "replay": 1},
    }


@pytest.mark.parametrize("other", [RESNET, TRANSFORMER])
def test_a_mixture_is_refused_unless_one_is_chosen(calls: Any, other: Component) -> None:
    mine = calls.pair(0, calls.answer())
    events = calls.events(mine, calls.pair(1, calls.answer(), component=other))
    read: list[Pair] = []
    with pytest.raises(AmbiguousLogError, match=r"default/bert-ner/predictor and of default/.*: choose"):
        read.extend(LoggedCalls(events, Choice()))
    chosen = LoggedCalls(events, Choice("default", "bert-ner", "predictor"))
    assert list(chosen) == [mine]
    assert chosen.outcomes == {"paired": 2, "other_component": 2}


class Target(Shadow):
    """A shadow on a server of the test."""

    def __init__(self, url: str) -> None:
        self.replayer = Replayer(url)
        self.results = Results(Criteria(), examples=1)
        metrics = ShadowMetrics(CollectorRegistry())
        super().__init__(self.replayer, self.results, metrics, rate=TokenBucket(1e6), waits=True)


async def test_so_many_calls_are_in_progress_and_no_more(
    start_target: Any, answering: Any, calls: Any
) -> None:
    good = answering(calls.answer())

    async def reply(received: Any, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        await good(received, writer)

    target = await start_target(reply)
    shadow = Target(target.url)
    await feed(shadow, (calls.pair(number, calls.answer()) for number in range(30)), at_once=3)
    await shadow.replayer.close()
    assert shadow.results.outcomes == {"agreed": 30}
    assert target.most_at_once == 3


async def test_a_log_that_pauses_does_not_hold_up_what_was_read(
    start_target: Any, answering: Any, calls: Any
) -> None:
    shadow = Target((await start_target(answering(calls.answer()))).url)
    go_on = threading.Event()

    def pausing() -> Iterator[Pair]:
        yield calls.pair(0, calls.answer())
        assert go_on.wait(30)
        yield calls.pair(1, calls.answer())

    feeding = asyncio.create_task(feed(shadow, pausing(), at_once=2))
    while not shadow.results.outcomes:
        await asyncio.sleep(0.005)
    go_on.set()
    await feeding
    await shadow.replayer.close()
    assert shadow.results.outcomes == {"agreed": 2}


async def test_what_was_read_before_an_error_is_counted(
    start_target: Any, answering: Any, calls: Any
) -> None:
    shadow = Target((await start_target(answering(calls.answer()))).url)

    def broken() -> Iterator[Event]:
        yield from calls.events(*(calls.pair(number, calls.answer()) for number in range(5)))
        raise EventError(Rejection.MALFORMED, "line 11")

    with pytest.raises(EventError, match="line 11"):
        await feed(shadow, LoggedCalls(broken(), Choice()), at_once=4)
    await shadow.replayer.close()
    assert shadow.results.outcomes == {"agreed": 5}
