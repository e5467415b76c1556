from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from modelserve.cache.breaker import CircuitBreaker, State


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_failures_in_a_row_open_it_and_a_trial_closes_it() -> None:
    clock = Clock()
    breaker = CircuitBreaker(threshold=2, pause_seconds=5, clock=clock)
    calls = [breaker.admit() for _ in range(5)]
    assert None not in calls
    tickets = [call for call in calls if call is not None]
    assert not breaker.report(tickets[0], succeeded=False)
    assert not breaker.report(tickets[1], succeeded=True)
    assert not breaker.report(tickets[2], succeeded=False)
    assert breaker.report(tickets[3], succeeded=False)
    assert breaker.admit() is None
    clock.now = 5.0
    trial = breaker.admit()
    assert trial is not None
    assert breaker.admit() is None
    # The answer to a call from before the pause is not the trial's.
    assert not breaker.report(tickets[4], succeeded=True)
    assert breaker.admit() is None
    assert breaker.report(trial, succeeded=True)
    assert breaker.admit() is not None


def test_a_trial_that_fails_begins_another_pause_without_news() -> None:
    clock = Clock()
    breaker = CircuitBreaker(threshold=1, pause_seconds=5, clock=clock)
    first = breaker.admit()
    assert first is not None
    assert breaker.report(first, succeeded=False)
    clock.now = 7.0
    trial = breaker.admit()
    assert trial is not None
    clock.now = 8.0
    assert not breaker.report(trial, succeeded=False)
    clock.now = 12.9
    assert breaker.admit() is None
    clock.now = 13.0
    assert breaker.admit() is not None


class AnyHistory(RuleBasedStateMachine):
    """Calls begin and end in any order, against rules that are told from the history alone."""

    calls: Bundle[tuple[int, int]] = Bundle("calls")

    @initialize(threshold=st.integers(1, 4), pause_seconds=st.integers(1, 5))
    def open(self, threshold: int, pause_seconds: int) -> None:
        self.clock = Clock()
        self.threshold = threshold
        self.pause_seconds = pause_seconds
        self.breaker = CircuitBreaker(threshold=threshold, pause_seconds=pause_seconds, clock=self.clock)
        self.period = 0  # one more with every opening, trial and closing
        self.results: list[bool] = []  # of this period's calls
        self.opened_at: float | None = None
        self.is_trying = False
        self.news: list[bool] = []  # whether the store came (True) or went (False)

    @rule(seconds=st.integers(0, 3))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule(target=calls)
    def begin(self) -> Any:
        ticket = self.breaker.admit()
        if self.opened_at is not None:
            if self.is_trying or self.clock.now < self.opened_at + self.pause_seconds:
                assert ticket is None
                return multiple()
            self.is_trying = True
            self.period += 1
        assert ticket is not None
        return ticket, self.period

    @rule(call=consumes(calls), succeeded=st.booleans())
    def end(self, call: tuple[int, int], succeeded: bool) -> None:
        ticket, period = call
        is_news = self.breaker.report(ticket, succeeded=succeeded)
        if period != self.period:
            assert not is_news
            return
        self.results.append(succeeded)
        last = self.results[-self.threshold :]
        if self.is_trying:
            self.is_trying = False
            self.opened_at = None if succeeded else self.clock.now
            assert is_news == succeeded
        elif len(last) == self.threshold and not any(last):
            self.opened_at = self.clock.now
            assert is_news
        else:
            assert not is_news
            return
        self.results = []
        self.period += 1
        if is_news:
            self.news.append(succeeded)

    @invariant()
    def the_state_is_the_one_that_the_history_says(self) -> None:
        if self.opened_at is None:
            assert self.breaker.state is State.CLOSED
        else:
            assert self.breaker.state is (State.TRIAL if self.is_trying else State.OPEN)

    @invariant()
    def the_store_goes_and_comes_in_turns(self) -> None:
        assert all(came is bool(index % 2) for index, came in enumerate(self.news))


TestAnyHistory = AnyHistory.TestCase
