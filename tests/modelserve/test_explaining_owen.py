"""Partitions and Owen values, against their definitions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from math import comb

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.explaining.owen import OwenSearch
from modelserve.explaining.partition import Partition, partition_grid, partition_sequence

Game = Callable[[npt.NDArray[np.bool_]], npt.NDArray[np.float64]]
"""The outputs of one variation."""


def leaf_orders(partition: Partition) -> Iterator[tuple[int, ...]]:
    """Every order of the features in which each group stays together."""
    if partition.halves is None:
        yield (int(partition.members[0]),)
        return
    first, second = (list(leaf_orders(half)) for half in partition.halves)
    for left, right in itertools.product(first, second):
        yield left + right
        yield right + left


def owen_by_definition(partition: Partition, game: Game) -> npt.NDArray[np.float64]:
    """The mean, over those orders, of what each feature adds to the ones before it."""
    orders, total = list(leaf_orders(partition)), np.zeros(1)
    for order in orders:
        shown = np.zeros(len(order), np.bool_)
        before, added = game(shown), np.zeros((len(game(shown)), len(order)))
        for feature in order:
            shown[feature] = True
            after = game(shown)
            added[:, feature], before = after - before, after
        total = total + added
    return np.asarray(total / len(orders))


def random_game(features: int, seed: int, outputs: int = 2) -> Game:
    table = np.random.default_rng(seed).normal(size=(2**features, outputs))

    def game(shown: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        return np.asarray(table[int(shown @ (1 << np.arange(features)))])

    return game


def search(partition: Partition, game: Game, *, most: int, at_once: int) -> tuple[OwenSearch, int]:
    """Search until so many variations are asked for; also how many were."""
    features, asked = len(partition.members), 0
    found = OwenSearch(partition, game(np.zeros(features, np.bool_)), game(np.ones(features, np.bool_)))
    seen = set()
    while len(masks := found.ask(min(at_once, most - asked))):
        assert len(masks) <= at_once
        for mask in masks:
            assert mask.tobytes() not in seen, "a variation is asked for twice"
            assert 0 < mask.sum() < features
            seen.add(mask.tobytes())
        found.tell(np.stack([game(mask) for mask in masks]))
        asked += len(masks)
    assert asked <= most
    return found, asked


def strengths(features: int) -> st.SearchStrategy[list[float]]:
    return st.lists(st.sampled_from([-1.0, 0.0, 1.0, 2.0]), min_size=features - 1, max_size=features - 1)


@given(st.integers(1, 7).flatmap(strengths), st.integers(0, 9999), st.integers(2, 40))
def test_a_complete_search_finds_the_owen_values(cuts: list[float], seed: int, at_once: int) -> None:
    partition, game = partition_sequence(cuts), random_game(len(cuts) + 1, seed)
    found, _ = search(partition, game, most=10_000, at_once=at_once)
    assert found.is_complete
    np.testing.assert_allclose(found.contributions(), owen_by_definition(partition, game), atol=1e-9)


@given(st.integers(2, 7).flatmap(strengths), st.integers(0, 9999), st.integers(0, 60), st.integers(2, 9))
def test_contributions_add_up_however_early_the_search_ends(
    cuts: list[float], seed: int, most: int, at_once: int
) -> None:
    features = len(cuts) + 1
    game = random_game(features, seed)
    found, _ = search(partition_sequence(cuts), game, most=most, at_once=at_once)
    gained = game(np.ones(features, np.bool_)) - game(np.zeros(features, np.bool_))
    np.testing.assert_allclose(found.contributions().sum(1), gained, atol=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 7), (3, 3), (4, 2)])
def test_of_independent_features_each_contributes_its_own(rows: int, columns: int) -> None:
    weights = np.random.default_rng(3).normal(size=(rows * columns, 3))
    found, asked = search(
        partition_grid(rows, columns), lambda shown: shown @ weights, most=10_000, at_once=64
    )
    assert found.is_complete
    assert asked <= 2 * (rows * columns) ** 2
    np.testing.assert_allclose(found.contributions(), weights.T, atol=1e-9)


def test_two_features_that_only_count_together_share_evenly() -> None:
    """As Shapley values do, here computed from their own formula."""
    features = 6

    def game(shown: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        return np.array([float(shown[1] and shown[4]) + 0.5 * float(shown[0])])

    expected = np.zeros(features)
    for feature in range(features):
        others = [other for other in range(features) if other != feature]
        for size in range(features):
            for chosen in itertools.combinations(others, size):
                shown = np.isin(np.arange(features), chosen)
                with_it = shown | (np.arange(features) == feature)
                gain = float((game(with_it) - game(shown))[0])
                expected[feature] += gain / (features * comb(features - 1, size))
    found, _ = search(partition_sequence([0.0] * (features - 1)), game, most=10_000, at_once=8)
    np.testing.assert_allclose(found.contributions()[0], expected, atol=1e-9)
    np.testing.assert_allclose(expected, [0.5, 0.5, 0, 0, 0.5, 0], atol=1e-9)


def test_what_matters_is_divided_first() -> None:
    """One of 64 features counts, and a search that is a fraction of a whole one finds it."""

    def game(shown: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        return np.array([float(shown[37])])

    partition = partition_grid(8, 8)
    _, all_of_them = search(partition, game, most=100_000, at_once=32)
    found, asked = search(partition, game, most=300, at_once=32)
    assert not found.is_complete
    assert asked < all_of_them / 8
    assert found.contributions()[0, 37] == pytest.approx(1.0)


def test_a_search_that_may_ask_nothing_shares_evenly() -> None:
    found, asked = search(partition_grid(2, 2), random_game(4, 1), most=1, at_once=8)
    assert (asked, found.is_complete) == (0, False)
    contributions = found.contributions()
    np.testing.assert_allclose(contributions, contributions[:, :1].repeat(4, axis=1))


def groups(partition: Partition) -> Iterator[Partition]:
    yield partition
    for half in partition.halves or ():
        yield from groups(half)


def depth(partition: Partition) -> int:
    return 1 + max(depth(half) for half in partition.halves) if partition.halves else 0


@given(st.integers(1, 200).flatmap(strengths))
def test_a_sequence_falls_into_ever_smaller_ranges(cuts: list[float]) -> None:
    features = len(cuts) + 1
    partition = partition_sequence(cuts)
    for group in groups(partition):
        members = group.members.tolist()
        assert members == list(range(members[0], members[-1] + 1))
        assert (group.halves is None) == (len(members) == 1)
        if group.halves:
            assert [*group.halves[0].members, *group.halves[1].members] == members
    assert partition.members.tolist() == list(range(features))
    assert depth(partition) <= 2 * np.log2(features) + 1


def test_a_sequence_is_cut_where_it_holds_together_least() -> None:
    partition = partition_sequence([0, 0, 1, 0, 0, 0, 0])
    assert partition.halves is not None
    assert partition.halves[0].members.tolist() == [0, 1, 2]
    kept_together = partition_sequence([0, 0, 0, -1, 0, 0, 0])
    assert kept_together.halves is not None
    assert kept_together.halves[0].members.tolist() in ([0, 1, 2], [0, 1, 2, 3, 4])


@given(st.integers(1, 9), st.integers(1, 9))
def test_a_grid_falls_into_rectangles(rows: int, columns: int) -> None:
    partition = partition_grid(rows, columns)
    assert sorted(partition.members.tolist()) == list(range(rows * columns))
    for group in groups(partition):
        places = group.members
        height = len(set((places // columns).tolist()))
        width = len(set((places % columns).tolist()))
        assert height * width == len(places)
        if group.halves:
            assert sorted([*group.halves[0].members, *group.halves[1].members]) == sorted(places)
