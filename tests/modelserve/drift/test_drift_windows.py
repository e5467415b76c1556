"""Windows: every sample is in one, in its order, across restarts; nothing is judged too soon."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from modelserve.drift.peers import predecessor
from modelserve.drift.table import Table
from modelserve.drift.verdicts import UNKNOWN, Source
from modelserve.drift.windows import Observation, Window, Windows
from modelserve.events import Component

SIZE, SECONDS = 5, 60.0
SOURCES = [
    Source(Component("default", "names", "predictor"), revision, digest)
    for revision, digest in (("one", "a"), ("two", "a"), ("two", "b"))
]


class WindowMachine(RuleBasedStateMachine):
    """Against lists: what was added, what was written, and what the closed windows had."""

    @initialize()
    def begin(self) -> None:
        self.windows = Windows(size=SIZE, seconds=SECONDS)
        self.now = 0.0
        self.calls = 0
        self.added: dict[Source, list[float]] = {source: [] for source in SOURCES}
        self.written: list[Window] = []
        self.closed: dict[Source, list[float]] = {source: [] for source in SOURCES}

    @rule(source=st.sampled_from(SOURCES), samples=st.integers(0, 4))
    def call(self, source: Source, samples: int) -> None:
        self.calls += 1
        rows = [{"place": float(1000 * self.calls + place)} for place in range(samples)]
        observation = Observation(str(self.calls), self.now, rows, [b"x"] * samples)
        self.windows.add(source, observation, now=self.now)
        self.added[source].extend(row["place"] for row in rows)

    @rule(seconds=st.sampled_from([0.0, 1.0, SECONDS]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def flush(self) -> None:
        for part, ids in self.windows.take_fresh():
            assert ids
            self.written.append(part)
        for window in self.windows.full(now=self.now):
            places = window.table.columns["place"].tolist() if window.table.size else []
            assert len(window.excerpts) == len(places) == window.table.size
            assert window.opened <= window.closed <= self.now
            self.closed[window.source].extend(places)
            self.windows.close(window.source)
            self.written = [part for part in self.written if part.source != window.source]

    @rule()
    def crash(self) -> None:
        """What was not written is lost, and nothing else."""
        self.windows = Windows(size=SIZE, seconds=SECONDS)
        for source in SOURCES:
            self.added[source] = self.closed[source] + self.open_places(source)
        for part in self.written:
            self.windows.restore(part, now=self.now)

    def open_places(self, source: Source) -> list[float]:
        return [
            place
            for part in self.written
            if part.source == source and part.table.size
            for place in part.table.columns["place"].tolist()
        ]

    @invariant()
    def every_sample_is_in_one_place(self) -> None:
        for source, added in self.added.items():
            seen = self.closed[source] + self.open_places(source)
            assert added[: len(seen)] == seen, "in their order, none twice, none lost"
            assert self.windows.samples.get(source, 0) == len(added) - len(self.closed[source])


TestWindows = WindowMachine.TestCase
TestWindows.settings = settings(max_examples=60, stateful_step_count=30)


def window(source: Source, opened: float, closed: float) -> Window:
    return Window(source, opened, closed, Table.from_rows([]), [])


def test_a_canary_is_compared_with_the_revision_before_it(source: Callable[..., Source]) -> None:
    stable, canary, next_one = window(source(1), 0, 10), window(source(2), 5, 12), window(source(3), 20, 30)
    seen = {one.source.revision: one.opened for one in (stable, canary)}
    assert predecessor(stable, [], {}, seconds=100) is None
    assert predecessor(canary, [stable], seen, seconds=100) is stable
    assert predecessor(stable, [canary], seen, seconds=100) is None, "what came later is not what came before"
    assert predecessor(next_one, [stable, canary], seen, seconds=100) is canary, "the last before it"


def test_a_revision_that_is_no_longer_called_is_not_compared_with(source: Callable[..., Source]) -> None:
    stable = window(source(1), 0, 10)
    assert predecessor(window(source(2), 110, 120), [stable], {}, seconds=100) is stable
    assert predecessor(window(source(2), 111, 120), [stable], {}, seconds=100) is None


def test_revisions_of_other_names_are_in_the_order_in_which_they_were_seen() -> None:
    component = Component("default", "names", "predictor")
    blue, green = Source(component, "blue", "a"), Source(component, "green", "b")
    old, new = window(green, 0, 10), window(blue, 5, 15)
    assert predecessor(new, [old], {"green": 0.0}, seconds=100) is old, "this is its first window"
    assert predecessor(window(blue, 20, 25), [old], {"green": 0.0, "blue": 5.0}, seconds=100) is old
    assert predecessor(window(green, 10, 20), [new], {"green": 0.0, "blue": 5.0}, seconds=100) is None


def test_answers_that_do_not_tell_their_revision_have_no_predecessor(source: Callable[..., Source]) -> None:
    untold = window(source(2)._replace(revision=UNKNOWN), 5, 15)
    assert predecessor(untold, [window(source(1), 0, 10)], {}, seconds=100) is None
    assert predecessor(window(source(3), 5, 15), [untold], {}, seconds=100) is None
