"""Evidence to weigh at every look: exact where it can be counted out, and right as often as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import nchypergeom_fisher

from modelserve.canary.judge.evidence import (
    Tables,
    either,
    log_evidence,
    log_evidence_apart,
    log_evidence_below,
    ratio_bounds,
)
from modelserve.canary.judge.odds import (
    FARTHEST,
    FARTHEST_NULL,
    STEP,
    Cumulants,
    Floats,
    Integers,
    index_above,
    index_below,
)

RUNS, LOOKS = 2000, 150
ALPHA = 0.05
# Three standard deviations of a share of 5% in so many runs.
MOST_FALSE = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)

small_tables = st.tuples(st.integers(0, 12), st.integers(0, 30)).flatmap(
    lambda calls: st.tuples(st.just(calls[0]), st.just(calls[1]), st.integers(0, sum(calls)))
)


def whole(*values: int) -> Integers:
    return np.array(values, np.int64)


def possible(calls: int, stable_calls: int, events: int) -> range:
    """How many of the events may be the canary's."""
    return range(max(0, events - stable_calls), min(calls, events) + 1)


def chances(calls: int, stable_calls: int, events: int, ratio: float) -> list[float]:
    """Fisher's noncentral hypergeometric distribution, counted out."""
    ways = [
        math.comb(calls, x) * math.comb(stable_calls, events - x) * ratio**x
        for x in possible(calls, stable_calls, events)
    ]
    return [way / sum(ways) for way in ways]


def binomial(calls: int, events: int, share: float) -> float:
    return math.comb(calls, events) * share**events * (1 - share) ** (calls - events)


@given(small_tables, st.integers(-FARTHEST, FARTHEST))
def test_cumulants_are_those_of_all_ways_counted_out(table: tuple[int, int, int], index: int) -> None:
    calls, stable_calls, events = table
    found = Cumulants(whole(calls), whole(stable_calls), whole(events), index, index).everywhere()
    values = possible(*table)
    mean = sum(
        chance * math.exp(STEP * index * x)
        for x, chance in zip(values, chances(*table, ratio=1.0), strict=True)
    )
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(math.log(mean), rel=1e-9, abs=1e-9)


def test_cumulants_of_large_tables_are_those_of_scipy() -> None:
    calls, stable_calls, events, ratio = 3000, 27_000, 15_000, 1.3
    first = int(index_above(np.array([ratio]))[0])
    at = math.exp(STEP * first)
    found = Cumulants(whole(calls), whole(stable_calls), whole(events), first, first).everywhere()[0, 0]
    x = 1600
    # The distribution at the ratio is the one at 1, tilted.
    tilted = nchypergeom_fisher.logpmf(x, calls + stable_calls, events, calls, 1.0) + x * math.log(at) - found
    assert tilted == pytest.approx(
        nchypergeom_fisher.logpmf(x, calls + stable_calls, events, calls, at), abs=1e-6
    )


def test_tables_of_many_lengths_are_summed_each_by_itself() -> None:
    chance = np.random.default_rng(1)
    calls, stable_calls = chance.integers(0, 300, (40, 7)), chance.integers(0, 900, (40, 7))
    events = chance.binomial(calls + stable_calls, chance.random((40, 7)))
    together = Cumulants(calls, stable_calls, events, -8, 8).everywhere()
    for row, column in ((0, 0), (13, 3), (39, 6)):
        alone = Cumulants(
            calls[row, [column]], stable_calls[row, [column]], events[row, [column]], -8, 8
        ).everywhere()
        np.testing.assert_allclose(together[row, column], alone[0], rtol=1e-12, atol=1e-12)


@given(small_tables, st.integers(-FARTHEST_NULL, FARTHEST_NULL), st.integers(0, 30), st.booleans())
def test_the_mean_of_the_evidence_is_one_at_what_is_tolerated_and_less_within_it(
    table: tuple[int, int, int], null: int, within: int, upward: bool
) -> None:
    values = np.array(possible(*table), np.int64)[:, None]
    calls, stable_calls, events = table
    tables = Tables(
        np.full_like(values, calls), values, np.full_like(values, stable_calls), np.int64(events) - values
    )
    logs = log_evidence(tables, np.full_like(values, null), np.ones(values.shape), upward=upward)

    def mean(index: int) -> float:
        shares = chances(*table, ratio=math.exp(STEP * index))
        return float(np.exp(logs[:, 0]) @ np.array(shares))

    assert mean(null) == pytest.approx(1.0, rel=1e-8)
    assert mean(null - within if upward else null + within) <= 1 + 1e-8


@given(st.integers(1, 40), st.floats(0.01, 0.9), st.floats(0.0, 0.99))
def test_the_mean_of_the_evidence_below_a_limit_is_one_at_the_limit_and_less_above(
    calls: int, limit: float, above: float
) -> None:
    events = np.arange(calls + 1)[:, None]
    logs = log_evidence_below(
        np.full_like(events, calls), events, np.full(events.shape, limit), np.ones(events.shape)
    )
    share = limit + above * (1 - limit)
    shares = [binomial(calls, x, share) for x in range(calls + 1)]
    mean = float(np.exp(logs[:, 0]) @ np.array(shares))
    assert mean <= 1 + 1e-9
    if above == 0:
        assert mean == pytest.approx(1.0)


@given(
    st.integers(0, 12),
    st.integers(0, 12),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 0.99),
    st.floats(0.0, 1.0),
)
@example(3, 5, 5e-324, 0.1, 0.0, 0.0)
@example(3, 5, 1.0, 1.0, 0.0, 0.0)
@example(12, 1, 0.0, 0.0, 5e-324, 1.0)
def test_the_mean_of_the_evidence_apart_is_at_most_one_wherever_both_are_near_each_other(
    calls: int, stable_calls: int, taken: float, stable_share: float, tolerated: float, part: float
) -> None:
    """Whichever share was taken for the stable revision's, and whatever it is."""
    share = min(1.0, stable_share + part * tolerated)
    events, stable_events = (each.ravel() for each in np.mgrid[: calls + 1, : stable_calls + 1])
    shape = (events.size, 1)
    tables = Tables(
        np.full(shape, calls), events[:, None], np.full(shape, stable_calls), stable_events[:, None]
    )
    logs = log_evidence_apart(tables, np.full(shape, taken), tolerated, np.ones(shape))
    chance = [
        binomial(calls, x, share) * binomial(stable_calls, y, stable_share)
        for x, y in zip(events.tolist(), stable_events.tolist(), strict=True)
    ]
    assert float(np.exp(logs[:, 0]) @ np.array(chance)) <= 1 + 1e-9


@pytest.mark.parametrize("clean_calls", [1000, 100_000])
def test_errors_tell_as_much_however_long_the_stable_revision_had_none(clean_calls: int) -> None:
    looks = 6
    calls = np.concatenate([[0], np.full(looks, 300)])
    stable_calls = np.concatenate([[clean_calls], np.full(looks, 300)])
    tables = Tables(calls, calls // 20, stable_calls, np.zeros_like(calls))
    share = 0.5 / (np.cumsum(stable_calls) - stable_calls + 1)
    logs = log_evidence_apart(tables, share, 0.005, np.ones(calls.shape))
    assert logs[2] > -math.log(0.001)
    assert logs[0] == 0


@given(small_tables, st.integers(-20, 20))
def test_more_events_of_the_canary_are_more_evidence(table: tuple[int, int, int], null: int) -> None:
    values = np.array(possible(*table), np.int64)[:, None]
    calls, stable_calls, events = table
    tables = Tables(
        np.full_like(values, calls), values, np.full_like(values, stable_calls), np.int64(events) - values
    )
    nulls, weights = np.full_like(values, null), np.ones(values.shape)
    assert (np.diff(log_evidence(tables, nulls, weights, upward=True)[:, 0]) > -1e-9).all()
    assert (np.diff(log_evidence(tables, nulls, weights, upward=False)[:, 0]) < 1e-9).all()


def series(stable_share: Floats, ratio: float, traffic: Floats, seed: int, calls: float = 100.0) -> Tables:
    """Runs of looks at two revisions; the stable share and the canary's traffic differ from look to look."""
    chance = np.random.default_rng(seed)
    canary = chance.poisson(calls * traffic, (RUNS, LOOKS))
    stable = chance.poisson(calls * (1 - traffic), (RUNS, LOOKS))
    odds = ratio * stable_share / (1 - stable_share)
    return Tables(
        canary,
        chance.binomial(canary, odds / (1 + odds)),
        stable,
        chance.binomial(stable, np.broadcast_to(stable_share, (RUNS, LOOKS))),
    )


STEADY = np.full(LOOKS, 0.02)
INCIDENT = np.where((np.arange(LOOKS) > 60) & (np.arange(LOOKS) < 90), 0.4, 0.01)
STEPS = np.repeat([0.05, 0.2, 0.5], LOOKS // 3)


def share_ever(tables: Tables, null: int, *, upward: bool) -> float:
    nulls = np.full(tables.calls.shape, null)
    logs = log_evidence(tables, nulls, np.ones(nulls.shape), upward=upward)
    return float((logs >= -math.log(ALPHA)).any(axis=-1).mean())


@pytest.mark.parametrize("upward", [True, False])
@pytest.mark.parametrize("stable_share", [STEADY, INCIDENT], ids=["steady", "incident"])
def test_an_equal_canary_is_called_different_at_no_more_than_alpha(
    stable_share: Floats, upward: bool
) -> None:
    """At any of 150 looks, while traffic moves to the canary and both have an incident in the meantime."""
    assert share_ever(series(stable_share, 1.0, STEPS, 1), 0, upward=upward) <= MOST_FALSE


def test_a_canary_at_the_edge_of_what_is_tolerated_is_called_worse_at_no_more_than_alpha() -> None:
    null = 18
    assert share_ever(series(STEADY, math.exp(STEP * null), STEPS, 2), null, upward=True) <= MOST_FALSE


def test_a_canary_with_twice_the_odds_is_told_in_an_incident_and_outside_of_one() -> None:
    assert share_ever(series(STEADY, 2.0, STEPS, 3), 0, upward=True) > 0.95
    assert share_ever(series(INCIDENT, 2.0, STEPS, 3), 0, upward=True) > 0.95


def test_bounds_hold_the_ratio_at_every_look_together() -> None:
    ratio = 1.7
    tables = series(STEADY, ratio, STEPS, 4)
    missed = 0
    for run in range(100):
        for looks in range(10, LOOKS + 1, 20):
            part = Tables(
                tables.calls[run, :looks],
                tables.events[run, :looks],
                tables.stable_calls[run, :looks],
                tables.stable_events[run, :looks],
            )
            lower, upper = ratio_bounds(part, np.ones(looks), 1 - ALPHA / 2)
            if not lower <= ratio <= upper:
                missed += 1
                break
    assert missed <= 100 * ALPHA + 3 * math.sqrt(100 * ALPHA)
    assert 0 < lower < ratio < upper < math.inf


def test_a_look_that_is_left_out_says_nothing() -> None:
    chance = np.random.default_rng(5)
    tables = Tables(whole(50, 50), chance.binomial(50, [0.1, 0.9]), whole(50, 50), whole(5, 5))
    weights = np.array([1.0, 0.0])
    logs = log_evidence(tables, whole(0, 0), weights, upward=True)
    assert logs[0] == logs[1]
    below = log_evidence_below(tables.calls, tables.events, np.array([0.2, 0.2]), weights)
    assert below[0] == below[1]
    apart = log_evidence_apart(tables, np.array([0.1, 0.1]), 0.01, weights)
    assert apart[0] == apart[1]


def test_no_calls_and_no_events_are_no_evidence_by_comparison() -> None:
    nothing = Tables(whole(0, 500, 0), whole(0, 0, 0), whole(0, 0, 500), whole(0, 0, 20))
    for upward in (True, False):
        assert log_evidence(nothing, whole(0, 0, 0), np.ones(3), upward=upward) == pytest.approx([0, 0, 0])
    assert log_evidence_apart(nothing, np.full(3, 0.01), 0.0, np.ones(3)) == pytest.approx([0, 0, 0])
    assert ratio_bounds(nothing, np.ones(3), 0.99) == (0.0, math.inf)


def test_calls_without_events_show_a_small_share() -> None:
    logs = log_evidence_below(whole(0, 500, 500), whole(0, 0, 0), np.full(3, 0.01), np.ones(3))
    assert logs[0] == pytest.approx(0.0)
    assert logs[0] < logs[1] < logs[2]
    # (1 - 1%) ^ -1000, a quarter of the bets
    assert logs[2] > -1000 * math.log(0.99) - math.log(4)


def test_the_mean_of_two_kinds_of_evidence() -> None:
    assert either(np.array([0.0]), np.array([math.log(3)])) == pytest.approx([math.log(2)])


def test_indices_round_outward_and_stay_on_the_grid() -> None:
    ratios = np.array([0.0, 1.0, 1.01, 2.0, math.inf])
    assert index_above(ratios).tolist() == [-FARTHEST_NULL, 0, 1, 24, FARTHEST_NULL]
    assert index_below(ratios).tolist() == [-FARTHEST_NULL, 0, 0, 24, FARTHEST_NULL]
