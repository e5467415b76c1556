"""The http routes of a VirtualService that split calls between two Services, and how: no cluster is asked.

A route with two destinations is a split: its first destination is the stable one, its second the candidate.
All such routes of a VirtualService split between the same two. What has one destination, or none, goes where
it says, and is nobody's canary: a route for testers, a redirect, a path that only one of them has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelserve.canary.rollout.objects import Object
from modelserve.canary.rollout.protocol import CannotRollOut


@dataclass(frozen=True, slots=True)
class Split:
    """How calls are split.

    Attributes:
        stable: the Service that has what the candidate has not.
        candidate: the Service that gets a share.
        weights: of both, in each route that splits.
    """

    stable: str
    candidate: str
    weights: tuple[tuple[int, int], ...]

    @property
    def percent(self) -> int:
        """Of the calls to the candidate, by the route that gives it most; 0 and 100 are exact."""
        return max(_percent(*both) for both in self.weights)

    @property
    def is_candidates(self) -> bool:
        """Whether all calls of all routes go to the candidate."""
        return all(stable == 0 < candidate for stable, candidate in self.weights)


def read_split(virtual_service: Object) -> Split:
    """Between which Services, and how, it splits calls.

    Raises:
        CannotRollOut: no route has two destinations, or which is stable cannot be told.
    """
    name, namespace = (virtual_service["metadata"][key] for key in ("name", "namespace"))
    splits = [route["route"] for route in _routes(virtual_service) if _is_split(route)]
    pairs = {tuple(_service(one["destination"]["host"], namespace) for one in split) for split in splits}
    if not pairs:
        raise CannotRollOut(
            f"no http route of VirtualService {name} has two destinations; one is accepted that has the "
            "stable one first and the candidate second"
        )
    if len(pairs) > 1:
        told = " and ".join(sorted(" with ".join(pair) for pair in pairs))
        raise CannotRollOut(
            f"the routes of VirtualService {name} split calls between {told}; the same two in the same order "
            "are accepted, the stable one first"
        )
    ((stable, candidate),) = pairs
    if stable == candidate:
        raise CannotRollOut(
            f"both destinations of VirtualService {name} are {stable}, by which their calls cannot be told "
            "apart; two InferenceServices are accepted"
        )
    return Split(stable, candidate, tuple(_weights(split) for split in splits))


def expect_even(virtual_service: Object, split: Split) -> None:
    """Make sure that one share says where all calls go.

    Raises:
        CannotRollOut: weights do not add up to 100, routes have different ones, or another route has a third
            destination beside these.
    """
    metadata = virtual_service["metadata"]
    for route in _routes(virtual_service):
        hosts = {one["destination"]["host"] for one in route.get("route", [])}
        crowded = len(route.get("route", [])) > 2
        if crowded and {split.stable, split.candidate} & {host.partition(".")[0] for host in hosts}:
            raise CannotRollOut(
                f"a route of VirtualService {metadata['name']} splits calls between more than two "
                f"destinations, {', '.join(sorted(hosts))}; two are accepted"
            )
    for both in split.weights:
        if sum(both) != 100 or min(both) < 0:
            raise CannotRollOut(
                f"the weights {both[0]} and {both[1]} of VirtualService {metadata['name']} do not add up to "
                "100, which is accepted"
            )
    if len(set(split.weights)) > 1:
        raise CannotRollOut(
            f"the routes of VirtualService {metadata['name']} give {split.candidate} different shares; the "
            "same in all of them is accepted"
        )


def with_percent(virtual_service: Object, percent: int) -> list[Object]:
    """Its http routes, with so many of a hundred calls for the candidate, and otherwise as they are."""
    return [
        {**route, "route": _share(route["route"], percent)} if _is_split(route) else route
        for route in _routes(virtual_service)
    ]


def _routes(virtual_service: Object) -> Iterator[Object]:
    yield from virtual_service["spec"].get("http", [])


def _is_split(route: Object) -> bool:
    return len(route.get("route", [])) == 2


def _share(destinations: Sequence[Object], percent: int) -> list[Object]:
    stable, candidate = destinations
    return [{**stable, "weight": 100 - percent}, {**candidate, "weight": percent}]


def _weights(destinations: Sequence[Object]) -> tuple[int, int]:
    stable, candidate = (int(one.get("weight", 0)) for one in destinations)
    return stable, candidate


def _percent(stable: int, candidate: int) -> int:
    if candidate == 0:
        return 0
    if stable == 0:
        return 100
    # Istio takes any weights, and a little is not nothing.
    return min(99, max(1, round(100 * candidate / (stable + candidate))))


def _service(host: str, namespace: str) -> str:
    """The Service that a host names; Istio takes a host with a dot in it for a whole one."""
    name, *rest = host.split(".")
    if rest and not (rest[:2] == [namespace, "svc"] and len(rest) > 2):
        raise CannotRollOut(
            f"the destination {host} is no Service of the namespace {namespace}; the Service's name is "
            f"accepted, and {name}.{namespace}.svc with the cluster's domain"
        )
    return name
