"""Which routes of a VirtualService split calls, what their weights say, and what is refused."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.canary.rollout import CannotRollOut
from modelserve.canary.rollout.routes import expect_even, read_split, with_percent

STABLE, CANDIDATE, OTHER = "bert-ner-predictor", "bert-ner-candidate-predictor", "resnet-classifier-predictor"
Route = dict[str, Any]


def spelled(service: str) -> st.SearchStrategy[str]:
    return st.sampled_from([service, f"{service}.modelserve.svc.cluster.local"])


def destination(service: str) -> st.SearchStrategy[Route]:
    more = st.fixed_dictionaries(
        {},
        optional={
            "port": st.just({"number": 80}),
            "subset": st.just("v1"),
        },
    )
    headers = st.fixed_dictionaries({}, optional={"headers": st.just({"request": {"set": {"a": "b"}}})})
    return st.builds(
        lambda host, more, headers: {"destination": {"host": host, **more}, **headers},
        spelled(service),
        more,
        headers,
    )


AROUND = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text("ab-", min_size=1),
        "match": st.just([{"uri": {"prefix": "/v2"}}]),
        "timeout": st.just("35s"),
        "mirror": st.just({"host": OTHER}),
    },
)
SPLITS = st.builds(
    lambda around, stable, candidate, weights: {
        **around,
        "route": [{**stable, "weight": weights[0]}, {**candidate, "weight": weights[1]}],
    },
    AROUND,
    destination(STABLE),
    destination(CANDIDATE),
    st.tuples(st.integers(0, 1000), st.integers(0, 1000)).filter(any),
)
WHOLE = st.one_of(
    st.builds(
        lambda around, one: {**around, "route": [one]},
        AROUND,
        st.sampled_from([STABLE, CANDIDATE, OTHER]).flatmap(destination),
    ),
    st.just({"redirect": {"uri": "/v2"}}),
    st.just({"directResponse": {"status": 503}}),
)
ROUTES = st.lists(st.one_of(SPLITS, WHOLE), max_size=6)
WITH_A_SPLIT = st.builds(lambda before, split, after: [*before, split, *after], ROUTES, SPLITS, ROUTES)


def virtual_service(routes: list[Route]) -> dict[str, Any]:
    return {"metadata": {"name": "bert-ner", "namespace": "modelserve"}, "spec": {"http": routes}}


def two(stable: int, candidate: int, hosts: tuple[str, str] = (STABLE, CANDIDATE)) -> Route:
    weights = zip(hosts, (stable, candidate), strict=True)
    return {"route": [{"destination": {"host": host}, "weight": weight} for host, weight in weights]}


def without_weights(routes: list[Route]) -> list[Route]:
    bare = deepcopy(routes)
    for route in bare:
        if len(route.get("route", [])) == 2:
            for one in route["route"]:
                one.pop("weight", None)
    return bare


@given(WITH_A_SPLIT, st.integers(0, 100))
def test_a_share_is_written_to_the_routes_that_split_and_nothing_else_changes(
    routes: list[Route], percent: int
) -> None:
    was = deepcopy(routes)
    found = with_percent(virtual_service(routes), percent)
    assert routes == was
    assert without_weights(found) == without_weights(was)
    for before, after in zip(was, found, strict=True):
        if len(before.get("route", [])) == 2:
            assert [one["weight"] for one in after["route"]] == [100 - percent, percent]
        else:
            assert after == before


@given(WITH_A_SPLIT, st.integers(0, 100))
def test_what_was_written_is_read_again(routes: list[Route], percent: int) -> None:
    written = virtual_service(with_percent(virtual_service(routes), percent))
    split = read_split(written)
    expect_even(written, split)
    assert (split.stable, split.candidate, split.percent) == (STABLE, CANDIDATE, percent)
    assert split.is_candidates == (percent == 100)
    assert with_percent(written, percent) == written["spec"]["http"]


@given(WITH_A_SPLIT)
def test_a_little_is_not_nothing_and_most_is_not_all(routes: list[Route]) -> None:
    split = read_split(virtual_service(routes))
    assert (split.percent == 0) == all(candidate == 0 for _, candidate in split.weights)
    assert (split.percent == 100) == any(stable == 0 for stable, _ in split.weights)


def test_one_route_that_keeps_some_calls_is_no_promotion() -> None:
    split = read_split(virtual_service([two(0, 100), two(1, 99)]))
    assert not split.is_candidates
    assert split.percent == 100


@given(st.lists(WHOLE, max_size=6))
def test_without_a_split_there_is_no_candidate(routes: list[Route]) -> None:
    with pytest.raises(CannotRollOut, match="no http route of VirtualService bert-ner has two destinations"):
        read_split(virtual_service(routes))


def test_no_http_at_all_is_no_split() -> None:
    with pytest.raises(CannotRollOut, match="has two destinations"):
        read_split({"metadata": {"name": "bert-ner", "namespace": "modelserve"}, "spec": {"tcp": []}})


@pytest.mark.parametrize(
    ("routes", "sentence"),
    [
        ([two(90, 10), two(90, 10, (CANDIDATE, STABLE))], "the same two in the same order are accepted"),
        ([two(90, 10), two(90, 10, (STABLE, OTHER))], f"{STABLE} with {CANDIDATE} and {STABLE} with {OTHER}"),
        ([two(90, 10, (STABLE, STABLE))], "their calls cannot be told apart"),
        (
            [two(90, 10, (STABLE, f"{STABLE}.modelserve.svc.cluster.local"))],
            "their calls cannot be told apart",
        ),
        ([two(90, 10, (STABLE, f"{CANDIDATE}.elsewhere.svc.cluster.local"))], "no Service of the namespace"),
        ([two(90, 10, (STABLE, f"{CANDIDATE}.modelserve"))], "no Service of the namespace modelserve"),
        ([two(90, 10, (STABLE, "models.example.com"))], "the destination models.example.com is no Service"),
    ],
)
def test_two_that_cannot_be_told_apart_are_refused(routes: list[Route], sentence: str) -> None:
    with pytest.raises(CannotRollOut) as refusal:
        read_split(virtual_service(routes))
    assert sentence in str(refusal.value)


CROWDED = {"route": [*two(45, 10)["route"], {"destination": {"host": OTHER}, "weight": 45}]}
ELSEWHERE = {"route": [{"destination": {"host": f"{name}-predictor"}, "weight": 1} for name in "abc"]}


@pytest.mark.parametrize(
    ("routes", "sentence"),
    [
        ([two(90, 20)], "the weights 90 and 20 of VirtualService bert-ner do not add up to 100"),
        ([two(0, 0)], "do not add up to 100"),
        ([two(110, -10)], "do not add up to 100"),
        ([two(90, 10), two(75, 25)], f"give {CANDIDATE} different shares"),
        ([two(90, 10), CROWDED], "more than two destinations"),
    ],
)
def test_a_share_that_does_not_say_where_calls_go_is_refused(routes: list[Route], sentence: str) -> None:
    found = virtual_service(routes)
    with pytest.raises(CannotRollOut) as refusal:
        expect_even(found, read_split(found))
    assert sentence in str(refusal.value)


def test_a_route_between_others_is_nobodys_canary() -> None:
    found = virtual_service([two(90, 10), ELSEWHERE])
    expect_even(found, read_split(found))
    assert with_percent(found, 50)[1] == ELSEWHERE


@given(SPLITS, st.sampled_from([0, 1]))
def test_a_weight_that_is_not_said_is_none(route: Route, which: int) -> None:
    del route["route"][which]["weight"]
    assert read_split(virtual_service([route])).weights[0][which] == 0
