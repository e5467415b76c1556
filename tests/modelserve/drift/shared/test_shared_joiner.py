"""Halves of calls that come to two detectors: what becomes of them is what becomes of them in one."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelserve.database import StoreError
from modelserve.drift.shared.joiner import SharedJoiner
from modelserve.drift.shared.redis import SharedRedis
from modelserve.events import Component, Joiner, LoggedMessage, Side

WHOSE = [Component("default", "names", "predictor"), Component("default", "names/predictor", "")]
BOUNDS: dict[str, Any] = {"wait_seconds": 1000.0, "most_waiting": 4}
Connect = Callable[[], SharedRedis]

offers = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(Side), st.integers(0, 1)), max_size=60
)


def half(side: Side, call: str = "a", *, whose: Component = WHOSE[0]) -> LoggedMessage:
    return LoggedMessage(whose, call, side, 12.5, call.encode() + b"\0\xff\n")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offers=offers)
def test_two_do_as_one(redis_server: Any, connect: Connect, offers: Any) -> None:
    """The same halves, once to one joiner and once to either of two that share a Redis."""
    redis_server.client.flushall()
    redis = connect()
    alone, shared = Joiner(**BOUNDS), [SharedJoiner(redis, **BOUNDS) for _ in range(2)]
    for call, side, which in offers:
        message = half(side, call)
        assert shared[which].offer(message, now=0.0) == alone.offer(message, now=0.0)
    assert shared[0].outcomes + shared[1].outcomes == +alone.outcomes


def test_components_have_ids_of_their_own(connect: Connect) -> None:
    joiner = SharedJoiner(connect())
    assert joiner.offer(half(Side.REQUEST), now=0.0) is None
    assert joiner.offer(half(Side.RESPONSE, whose=WHOSE[1]), now=0.0) is None
    assert +joiner.outcomes == {}


def test_the_oldest_makes_room(redis_server: Any, connect: Connect) -> None:
    joiner = SharedJoiner(connect(), most_waiting=2)
    for call in "abc":
        joiner.offer(half(Side.REQUEST, call), now=0.0)
    assert joiner.offer(half(Side.RESPONSE, "a"), now=0.0) is None, "its request had to go"
    assert +joiner.outcomes == {"displaced": 1, "half_response": 1}
    large = SharedJoiner(connect(), most_bytes=1000)
    large.offer(LoggedMessage(WHOSE[0], "d", Side.REQUEST, 0.0, b"x" * 2000), now=0.0)
    assert large.outcomes["displaced"] == 3, "the others and itself"
    (key,) = redis_server.client.keys("*:bytes")
    assert redis_server.client.get(key) == b"0"


def test_a_half_is_given_up_once_and_the_other_is_too_late(redis_server: Any, connect: Connect) -> None:
    one, other = (SharedJoiner(connect(), wait_seconds=0.2) for _ in range(2))
    one.offer(half(Side.REQUEST), now=0.0)
    one.expire(now=0.0)
    assert +one.outcomes == {}
    other.offer(half(Side.RESPONSE, "b"), now=0.0)
    time.sleep(0.3)
    for _ in range(2):
        one.expire(now=0.0)
        other.expire(now=0.0)
    assert one.outcomes + other.outcomes == {"half_request": 1, "half_response": 1}
    assert other.offer(half(Side.RESPONSE), now=0.0) is None
    assert other.offer(half(Side.RESPONSE), now=0.0) is None
    assert other.outcomes["half_response"] + one.outcomes["half_response"] == 2
    assert other.outcomes["duplicate"] == 1
    deadline = time.monotonic() + 10
    while redis_server.client.keys("*:over"):  # a call is known ten times as long
        assert time.monotonic() < deadline
        one.expire(now=0.0)
        time.sleep(0.1)


def test_components_that_nobody_calls_are_let_go(redis_server: Any, connect: Connect) -> None:
    """Each would be asked about every second for ever."""

    def asked() -> int:
        return int(redis_server.client.info("commandstats")["cmdstat_evalsha"]["calls"])

    joiner = SharedJoiner(connect(), wait_seconds=0.2)
    for whose in WHOSE:
        joiner.offer(half(Side.REQUEST, whose=whose), now=0.0)
    time.sleep(0.3)
    joiner.expire(now=3.0)
    assert joiner.outcomes["half_request"] == 2
    joiner.offer(half(Side.REQUEST, "b"), now=3.0)
    joiner.expire(now=3.0)
    before = asked()
    joiner.expire(now=3.0)
    assert asked() - before == 1, "only about the one that is called"


def test_many_at_once(connect: Connect) -> None:
    """Every half comes to each of four detectors in as many threads: each call is had once."""
    joiners = [SharedJoiner(connect()) for _ in range(4)]
    pairs: list[str] = []

    def work(joiner: SharedJoiner, place: int) -> None:
        for number in range(300):
            first = Side.REQUEST if (number + place) % 2 else Side.RESPONSE
            for side in (first, first.other):
                pair = joiner.offer(half(side, str(number)), now=0.0)
                pairs.extend([] if pair is None else [pair.request.id])

    threads = [threading.Thread(target=work, args=(joiner, place)) for place, joiner in enumerate(joiners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(pairs) == Counter(map(str, range(300)))
    total = sum((joiner.outcomes for joiner in joiners), Counter[str]())
    assert total == {"paired": 600, "duplicate": 1800}


def test_a_redis_that_is_away(redis_server: Any, connect: Connect) -> None:
    joiner = SharedJoiner(connect())
    joiner.offer(half(Side.REQUEST), now=0.0)
    redis_server.kill()
    assert joiner.offer(half(Side.RESPONSE), now=1.0) is None
    began = time.monotonic()
    for _ in range(1000):
        joiner.offer(half(Side.RESPONSE, "b"), now=1.5)
    assert time.monotonic() - began < 1, "it is not asked again at once"
    joiner.expire(now=2.5)
    assert +joiner.outcomes == {"unstored": 1001}
    redis_server.start()
    joiner.offer(half(Side.REQUEST, "c"), now=4.0)
    assert joiner.offer(half(Side.RESPONSE, "c"), now=4.0) is not None


@pytest.mark.parametrize("url", ["http://x", "redis://:secret@host:port", "x"])
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match=r"redis://\[user:password@\]host") as raised:
        SharedRedis(url)
    assert "secret" not in str(raised.value)
