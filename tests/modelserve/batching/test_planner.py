from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modelserve.batching.planner import BatchPolicy, Unit, choose_batch, plan_batches

UNITS = st.lists(st.builds(Unit, st.just(None), st.integers(1, 600), st.sampled_from("ab")), min_size=1)
POLICIES = st.builds(
    BatchPolicy, budget=st.integers(1, 4096), most_units=st.integers(1, 40), least_filled=st.floats(0, 1)
)


@given(UNITS, POLICIES)
def test_a_batch_holds_the_oldest_and_what_fits_it(units: list[Unit[None]], policy: BatchPolicy) -> None:
    chosen = choose_batch(units, policy)
    assert 0 in chosen
    assert len(set(chosen)) == len(chosen) <= policy.most_units
    assert len({units[i].key for i in chosen}) == 1
    sizes = [units[i].size for i in chosen]
    assert len(chosen) == 1 or len(chosen) * max(sizes) <= policy.budget
    assert min(sizes) >= policy.least_filled * max(sizes)


@given(UNITS, POLICIES)
def test_nothing_that_fits_at_no_cost_is_left_behind(units: list[Unit[None]], policy: BatchPolicy) -> None:
    chosen = choose_batch(units, policy)
    largest = max(units[i].size for i in chosen)
    if len(chosen) < policy.most_units and (len(chosen) + 1) * largest <= policy.budget:
        left = [unit for i, unit in enumerate(units) if i not in chosen and unit.key == units[0].key]
        assert not [unit for unit in left if unit.size == largest]


@given(UNITS, POLICIES)
def test_every_unit_is_in_one_batch(units: list[Unit[None]], policy: BatchPolicy) -> None:
    batches = plan_batches(units, policy)
    assert sorted(i for batch in batches for i in batch) == list(range(len(units)))


def sizes(*values: int) -> list[Unit[None]]:
    return [Unit(None, value) for value in values]


def test_units_of_one_size_fill_a_batch() -> None:
    batches = plan_batches(sizes(*[10] * 25), BatchPolicy(budget=100))
    assert [len(batch) for batch in batches] == [10, 10, 5]


def test_large_and_small_units_are_not_computed_together() -> None:
    batches = plan_batches(sizes(4, 500, 5, 450), BatchPolicy(budget=8192))
    assert [sorted(batch) for batch in batches] == [[0, 2], [1, 3]]


def test_the_units_that_need_least_filling_go_with_the_oldest() -> None:
    assert sorted(choose_batch(sizes(50, 40, 52, 49, 70), BatchPolicy(budget=52 * 3))) == [0, 2, 3]


def test_of_many_units_the_oldest_thousand_are_looked_at() -> None:
    units = sizes(*[1] * 1024, *[2] * 5000)
    assert max(choose_batch(units, BatchPolicy(budget=10**9, most_units=10**9))) == 1023
