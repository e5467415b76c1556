"""A shadow from a logged call to its results, beside a server that does what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from modelserve.shadow.comparison import Shadow
from modelserve.shadow.metrics import ShadowMetrics
from modelserve.shadow.rate import TokenBucket
from modelserve.shadow.replaying import Replayer
from modelserve.shadow.results import Results
from modelserve.shadow.verdicts import Criteria, Outcome

ANGELA, OBAMA = ("PER", 0, 13), ("PER", 18, 23)


class Watched:
    """A shadow, and where it counts."""

    def __init__(
        self,
        url: str,
        *,
        rate: float = 1e6,
        model: str | None = None,
        timeout_seconds: float = 30.0,
        **arguments: Any,
    ) -> None:
        self.registry = CollectorRegistry()
        self.results = Results(Criteria(), examples=5)
        self.replayer = Replayer(url, model=model, timeout_seconds=timeout_seconds)
        self.shadow = Shadow(
            self.replayer,
            self.results,
            ShadowMetrics(self.registry),
            rate=TokenBucket(rate),
            **arguments,
        )

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"modelserve_shadow_{name}", labels)


@pytest.fixture
async def watch() -> AsyncIterator[Callable[..., Watched]]:
    """Makes shadows whose connections are closed with the test."""
    made: list[Watched] = []

    def make(url: str, **arguments: Any) -> Watched:
        made.append(Watched(url, **arguments))
        return made[-1]

    yield make
    for one in made:
        await one.replayer.close()


async def test_answers_that_agree_and_one_that_does_not(
    start_target: Any, answering: Any, calls: Any, watch: Any
) -> None:
    target = await start_target(answering(calls.answer(ANGELA, OBAMA, revision="new-2")))
    one = watch(target.url)
    for number in range(9):
        await one.shadow.take(calls.pair(number, calls.answer(ANGELA, OBAMA)))
    await one.shadow.take(calls.pair(9, calls.answer(ANGELA)))
    assert one.results.outcomes == {"agreed": 9, "disagreed": 1}
    assert one.results.disagreement.bounds().estimate == pytest.approx(0.1)
    assert one.results.entities == {"both": 19, "only_new": 1, "only_logged": 0}
    f1 = one.results.f1.bounds(0.95)
    assert f1 is not None
    assert f1.estimate == pytest.approx(2 * 19 / (2 * 19 + 1))
    (example,) = one.results.gallery.examples()
    assert (example.call, example.text) == ("call-9", "Angela Merkel met Obama.")
    assert [(finding.name, finding.differs) for finding in example.replayed] == [
        ("PER xxxxxxxxxxxxx [0, 13)", False),
        ("PER xxxxx [18, 23)", True),
    ]
    labels = {"model": "bert-ner", "revision": "new-2"}
    assert one.metric("compared_total", outcome="agreed", **labels) == 9
    assert one.metric("compared_total", outcome="disagreed", **labels) == 1
    assert one.metric("disagreement_ratio", **labels) == pytest.approx(0.1)
    bounds = one.results.disagreement.bounds()
    assert one.metric("disagreement_lower", **labels) == bounds.lower
    assert one.metric("disagreement_upper", **labels) == bounds.upper


async def test_a_batch_is_one_observation(start_target: Any, answering: Any, calls: Any, watch: Any) -> None:
    target = await start_target(answering(calls.answer(ANGELA, texts=4)))
    one = watch(target.url)
    await one.shadow.take(calls.pair(0, calls.answer(OBAMA, texts=4), texts=4))
    await one.shadow.take(calls.pair(1, calls.answer(ANGELA, texts=4), texts=4))
    assert (one.results.items, one.results.disagreeing_items) == (8, 4)
    assert one.results.disagreement.bounds().count == 2
    assert one.results.disagreement.bounds().estimate == 0.5


async def test_shares_add_up_by_who_was_asked_and_who_was_logged(
    start_target: Any, answering: Any, calls: Any, watch: Any
) -> None:
    one = watch((await start_target(answering(calls.answer(ANGELA, revision="new-2", texts=2)))).url)
    half = calls.answer_each([ANGELA], [OBAMA])
    await one.shadow.take(calls.pair(0, half, texts=2))
    await one.shadow.take(calls.pair(1, calls.answer(OBAMA, texts=2), texts=2))
    await one.shadow.take(calls.pair(2, calls.answer(ANGELA, revision="new-2", texts=2), texts=2))
    by = {"model": "bert-ner", "revision": "new-2"}
    assert one.metric("call_disagreement_sum", **by, logged_revision="old-1") == 1.5
    assert one.metric("call_disagreement_count", **by, logged_revision="old-1") == 2
    assert one.metric("call_disagreement_sum", **by, logged_revision="new-2") == 0


async def test_many_logged_revisions_are_one(
    start_target: Any, answering: Any, calls: Any, watch: Any
) -> None:
    one = watch((await start_target(answering(calls.answer(ANGELA, revision="new-2")))).url)
    for number in range(23):
        await one.shadow.take(calls.pair(number, calls.answer(ANGELA, revision=f"old-{number}")))
    by = {"model": "bert-ner", "revision": "new-2"}
    assert one.metric("call_disagreement_count", **by, logged_revision="other") == 3


async def test_the_gauges_are_of_the_revision_that_answers_now(
    start_target: Any, calls: Any, watch: Any
) -> None:
    revisions = iter(["new-2", "new-3"])

    async def reply(_: Any, writer: asyncio.StreamWriter) -> None:
        body = calls.answer(revision=next(revisions))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()

    one = watch((await start_target(reply)).url)
    await one.shadow.take(calls.pair(0, calls.answer()))
    await one.shadow.take(calls.pair(1, calls.answer()))
    assert one.metric("disagreement_ratio", model="bert-ner", revision="new-2") is None
    assert one.metric("disagreement_ratio", model="bert-ner", revision="new-3") == 0


async def test_a_call_that_cannot_be_read_is_not_replayed(
    start_target: Any, answering: Any, calls: Any, watch: Any
) -> None:
    target = await start_target(answering(calls.answer()))
    one = watch(target.url)
    await one.shadow.take(calls.pair(0, b"what is this"))
    assert (one.results.outcomes, target.received) == ({"unreadable": 1}, [])
    assert one.metric("compared_total", outcome="unreadable", model="unknown", revision="unknown") == 1


async def test_a_call_without_items_says_nothing(
    start_target: Any, answering: Any, calls: Any, watch: Any
) -> None:
    one = watch((await start_target(answering(calls.answer(texts=0)))).url)
    await one.shadow.take(calls.pair(0, calls.answer(texts=0), texts=0))
    assert sum(one.results.outcomes.values()) == 1
    assert one.results.disagreement.count == 0


async def test_v1_with_and_without_a_name(start_target: Any, answering: Any, calls: Any, watch: Any) -> None:
    target = await start_target(answering(calls.answer_v1(ANGELA)))
    pair = calls.pair(0, calls.answer_v1(ANGELA), request=b'{"instances": ["Angela Merkel met Obama."]}')
    unnamed, named = watch(target.url), watch(target.url, model="bert-ner")
    await unnamed.shadow.take(pair)
    assert (unnamed.results.outcomes, target.received) == ({"unnamed_model": 1}, [])
    await named.shadow.take(pair)
    assert named.results.outcomes == {"agreed": 1}
    assert named.metric("compared_total", outcome="agreed", model="bert-ner", revision="unknown") == 1


async def test_only_the_answers_of_one_revision(
    start_target: Any, answering: Any, calls: Any, watch: Any
) -> None:
    target = await start_target(answering(calls.answer()))
    one = watch(target.url, revision="old-1")
    await one.shadow.take(calls.pair(0, calls.answer(revision="new-2")))
    await one.shadow.take(calls.pair(1, calls.answer(revision="old-1")))
    assert one.results.outcomes == {"skipped_revision": 1, "agreed": 1}
    assert len(target.received) == 1


async def test_a_live_call_above_the_rate_is_skipped(
    start_target: Any, answering: Any, calls: Any, watch: Any
) -> None:
    target = await start_target(answering(calls.answer()))
    one = watch(target.url, rate=0.001)
    for number in range(5):
        await one.shadow.take(calls.pair(number, calls.answer()))
    assert one.results.outcomes == {"agreed": 1, "skipped_rate": 4}
    assert len(target.received) == 1


async def test_a_call_from_a_file_waits_instead(
    start_target: Any, answering: Any, calls: Any, watch: Any
) -> None:
    target = await start_target(answering(calls.answer()))
    one = watch(target.url, rate=20, waits=True)
    await asyncio.gather(*(one.shadow.take(calls.pair(number, calls.answer())) for number in range(24)))
    assert one.results.outcomes == {"agreed": 24}


@pytest.mark.parametrize(
    ("body", "status", "outcome"),
    [
        (b"garbage", "200 OK", "failed_unreadable"),
        (b"{}", "200 OK", "failed_unreadable"),
        (b"[]", "200 OK", "failed_unreadable"),
        (b"", "200 OK", "failed_unreadable"),
        (b'{"error": "a fault"}', "500 Internal Server Error", "failed_500"),
        (b'{"error": "a fault"}', "404 Not Found", "failed_404"),
    ],
)
async def test_bad_answers_are_failures(
    body: bytes, status: str, outcome: str, start_target: Any, answering: Any, calls: Any, watch: Any
) -> None:
    one = watch((await start_target(answering(body, status))).url)
    await one.shadow.take(calls.pair(0, calls.answer()))
    assert one.results.outcomes == {outcome: 1}
    assert one.metric("compared_total", outcome=outcome, model="bert-ner", revision="unknown") == 1
    assert one.results.failures.bounds().estimate == 1.0
    assert one.results.disagreement.count == 0


async def test_an_answer_to_more_texts_than_there_are(
    start_target: Any, answering: Any, calls: Any, watch: Any
) -> None:
    one = watch((await start_target(answering(calls.answer(texts=2)))).url)
    await one.shadow.take(calls.pair(0, calls.answer()))
    assert one.results.outcomes == {"failed_unreadable": 1}


async def test_slow_answers_time_out(start_target: Any, calls: Any, watch: Any) -> None:
    async def reply(*_: Any) -> None:
        await asyncio.sleep(60)

    one = watch((await start_target(reply)).url, timeout_seconds=0.5)
    await one.shadow.take(calls.pair(0, calls.answer()))
    assert one.results.outcomes == {"failed_timeout": 1}


async def test_a_server_that_dies_on_the_way(
    start_target: Any, answering: Any, calls: Any, watch: Any
) -> None:
    good, answered = answering(calls.answer()), 0

    async def reply(received: Any, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        answered += 1
        if answered > 300:
            writer.close()
        else:
            await good(received, writer)

    one = watch((await start_target(reply)).url)
    for number in range(330):
        await one.shadow.take(calls.pair(number, calls.answer()))
    assert one.results.outcomes == {"agreed": 300, "failed_lost": 30}
    verdict = one.results.verdict()
    assert verdict.outcome is Outcome.NO_VERDICT, "what it did not answer might have differed"
    assert "not answered" in verdict.reason


async def test_the_paired_latencies(start_target: Any, answering: Any, calls: Any, watch: Any) -> None:
    one = watch((await start_target(answering(calls.answer()))).url)
    for number in range(10):
        await one.shadow.take(calls.pair(number, calls.answer(), seconds=100.0))
    assert one.results.logged_latencies.quantile(0.5) == pytest.approx(100, rel=0.02)
    replayed = one.results.replayed_latencies.quantile(0.5)
    assert 0 < replayed < 1
    difference = one.results.latency_difference.bounds(0.95)
    assert difference is not None
    # The interval is of the differences' mean and may pass what no one difference can; the mean cannot.
    assert -100 < difference.estimate < -99
    assert -101 < difference.lower <= difference.estimate <= difference.upper < -98
