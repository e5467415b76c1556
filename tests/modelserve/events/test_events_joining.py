"""Halves of calls, in every order and number: each call once, and every half accounted for."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from modelserve.events import Component, Joiner, LoggedMessage, Side

PREDICTOR = Component("default", "bert-ner", "predictor")
WAIT, MOST, MOST_BYTES = 10.0, 4, 60


def half(side: Side, name: str = "1", *, size: int = 3, time: float = 0.0) -> LoggedMessage:
    return LoggedMessage(PREDICTOR, name, side, time, b"x" * size)


def test_either_order_makes_a_call() -> None:
    for first in Side:
        joiner = Joiner()
        assert joiner.offer(half(first, time=5.0 if first is Side.RESPONSE else 4.5), now=0) is None
        second = first.other
        pair = joiner.offer(half(second, time=5.0 if second is Side.RESPONSE else 4.5), now=1)
        assert pair is not None
        assert (pair.request.side, pair.response.side) == (Side.REQUEST, Side.RESPONSE)
        assert (pair.component, pair.seconds) == (PREDICTOR, 0.5)
        assert joiner.outcomes == {"paired": 2}
        assert (len(joiner), joiner.waiting_bytes) == (0, 0)


def test_a_repetition_is_none_before_and_after_the_call_is_whole() -> None:
    joiner = Joiner()
    request, response = half(Side.REQUEST), half(Side.RESPONSE)
    found = [joiner.offer(one, now=0) for one in (request, request, response, response, request)]
    assert [one is not None for one in found] == [False, False, True, False, False]
    assert joiner.outcomes == {"paired": 2, "duplicate": 3}


def test_components_have_ids_of_their_own() -> None:
    joiner = Joiner()
    joiner.offer(half(Side.REQUEST), now=0)
    transformer = LoggedMessage(PREDICTOR._replace(name="transformer"), "1", Side.RESPONSE, 0.0, b"")
    assert joiner.offer(transformer, now=0) is None
    assert len(joiner) == 2


def test_a_half_is_given_up_and_the_other_is_too_late() -> None:
    joiner = Joiner(wait_seconds=10)
    joiner.offer(half(Side.REQUEST), now=0)
    joiner.expire(now=9.9)
    assert len(joiner) == 1
    assert joiner.offer(half(Side.RESPONSE), now=10) is None
    assert joiner.offer(half(Side.RESPONSE), now=10) is None
    assert joiner.outcomes == {"half_request": 1, "half_response": 1, "duplicate": 1}


def test_the_oldest_makes_room() -> None:
    joiner = Joiner(most_waiting=2, most_bytes=10)
    for number in range(3):
        joiner.offer(half(Side.REQUEST, str(number)), now=0)
    assert joiner.outcomes == {"displaced": 1}
    joiner.offer(half(Side.REQUEST, "large", size=10), now=0)
    assert joiner.outcomes == {"displaced": 3}
    joiner.offer(half(Side.REQUEST, "larger", size=11), now=0)
    assert (len(joiner), joiner.waiting_bytes) == (0, 0)


def test_what_is_remembered_has_an_end() -> None:
    joiner = Joiner(remembered=1)
    for name in ("1", "2"):
        for side in Side:
            joiner.offer(half(side, name), now=0)
    joiner.offer(half(Side.REQUEST, "2"), now=0)
    assert joiner.outcomes == {"paired": 4, "duplicate": 1}
    joiner.offer(half(Side.REQUEST, "1"), now=0)
    assert len(joiner) == 1, "it looks new again"


class Deliveries(RuleBasedStateMachine):
    """Any halves, at any time, beside what the joiner says of them."""

    def __init__(self) -> None:
        super().__init__()
        self.joiner = Joiner(wait_seconds=WAIT, most_waiting=MOST, most_bytes=MOST_BYTES)
        self.now = 0.0
        self.offered = 0
        self.paired: set[str] = set()
        self.fresh: dict[str, tuple[float, Side]] = {}

    @rule(name=st.sampled_from("abcdef"), side=st.sampled_from(Side), size=st.integers(0, 30))
    def offer(self, name: str, side: Side, size: int) -> None:
        before = self.joiner.outcomes.copy()
        pair = self.joiner.offer(half(side, name, size=size), now=self.now)
        self.offered += 1
        since, held = self.fresh.get(name, (None, None))
        if pair is not None:
            assert pair.request.id == pair.response.id == name
            assert name not in self.paired, "a call is told once"
            assert held is side.other
            self.paired.add(name)
        elif name not in self.paired and held is side.other and since is not None and self.now - since < WAIT:
            assert "displaced" in before, "a half that was there in time is joined, unless it made room"
        self.fresh.setdefault(name, (self.now, side))

    @rule(seconds=st.floats(0, 2 * WAIT))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.joiner.expire(now=self.now)

    @invariant()
    def every_half_is_accounted_for(self) -> None:
        assert self.offered == sum(self.joiner.outcomes.values()) + len(self.joiner)

    @invariant()
    def what_waits_is_bounded(self) -> None:
        assert len(self.joiner) <= MOST
        assert 0 <= self.joiner.waiting_bytes <= MOST_BYTES
        assert self.joiner.outcomes["paired"] == 2 * len(self.paired)


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
