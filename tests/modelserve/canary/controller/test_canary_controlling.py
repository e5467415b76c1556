"""The controller's rounds: whose turn it is, and that nobody waits for another's bad luck."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from modelserve.canary.controller import controlling
from modelserve.canary.controller.cluster import Cluster
from modelserve.canary.controller.controlling import Controller
from modelserve.canary.controller.metrics import CanaryMetrics
from modelserve.canary.rollout import Away, Gone
from modelserve.canary.rollout.objects import Conflict

POLICIES = ("modelserve.dev", "canarypolicies")
SERVICES = ("serving.kserve.io", "inferenceservices")
LONG = 3600.0


@dataclass
class Reconciler:
    """Writes down whose turn it was, and does what a test wants done.

    Attributes:
        turns: of each policy, by name, with the rival that it was told of.
        forgotten: policies.
        act: what a turn is, by the policy's name; a long rest where it is not named.
        most_at_once: turns of one policy.
    """

    turns: list[tuple[str, str | None]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    act: dict[str, Callable[[], float]] = field(default_factory=dict)
    most_at_once: int = 0
    _now: list[str] = field(default_factory=list)

    def reconcile(self, policy: dict[str, Any], *, rival: str | None = None) -> float:
        name = policy["metadata"]["name"]
        self._now.append(name)
        self.most_at_once = max(self.most_at_once, self._now.count(name))
        self.turns.append((name, rival))
        try:
            return self.act.get(name, lambda: LONG)()
        finally:
            self._now.remove(name)

    def forget(self, namespace: str, name: str) -> None:
        self.forgotten.append(name)

    def count(self, name: str) -> int:
        return [one for one, _ in self.turns].count(name)


@pytest.fixture
def reconciler() -> Reconciler:
    return Reconciler()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def start_controller(
    connection: Any, reconciler: Reconciler, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Controller]]:
    """Starts one on a thread, which ends with the test."""
    monkeypatch.setattr(controlling, "_ROUND_SECONDS", 0.02)
    ended = threading.Event()
    threads = []

    def start() -> Controller:
        found = Controller(Cluster(connection), reconciler, CanaryMetrics(registry))  # type: ignore[arg-type]
        threads.append(threading.Thread(target=found.run, args=(ended,)))
        threads[-1].start()
        return found

    yield start
    ended.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def obey(api_server: Any) -> Callable[..., None]:
    """Puts a policy for a service, by default the one of its name."""

    def obey(name: str, service: str = "", **spec: Any) -> None:
        whole = {"targetRef": {"name": service or name}, **spec}
        api_server.put(*POLICIES, "default", name, spec=whole)

    return obey


def until(is_so: Callable[[], bool]) -> None:
    """Wait for it, for ten seconds."""
    for _ in range(500):
        if is_so():
            return
        time.sleep(0.02)
    raise AssertionError("it never was")


def rounds(api_server: Any, number: int = 5) -> None:
    """Let so many rounds go by."""

    def made() -> int:
        return sum(one.verb == "list" and one.resource == "canarypolicies" for one in list(api_server.asked))

    before = made()
    until(lambda: made() >= before + number)


def test_a_policy_rests_until_it_or_its_service_is_changed(
    start_controller: Any, reconciler: Reconciler, api_server: Any, obey: Any
) -> None:
    obey("names")
    obey("others")
    start_controller()
    until(lambda: reconciler.count("names") == reconciler.count("others") == 1)
    rounds(api_server)
    assert len(reconciler.turns) == 2
    obey("names", suspend=True)
    until(lambda: reconciler.count("names") == 2)
    api_server.put(*SERVICES, "default", "names", spec={})
    until(lambda: reconciler.count("names") == 3)
    api_server.put(*SERVICES, "default", "names", spec={"predictor": {}})
    until(lambda: reconciler.count("names") == 4)
    api_server.put(*POLICIES, "default", "names", spec=api_server.find(*POLICIES, "default", "names")["spec"])
    rounds(api_server)
    assert (reconciler.count("names"), reconciler.count("others")) == (4, 1), "a status is no change"


def test_a_policy_is_looked_at_again_when_it_is_due(
    start_controller: Any, reconciler: Reconciler, obey: Any
) -> None:
    obey("names")
    reconciler.act["names"] = lambda: 0.05
    start_controller()
    until(lambda: reconciler.count("names") >= 4)


def test_one_that_takes_long_is_waited_for_by_nobody_and_asked_once(
    start_controller: Any, reconciler: Reconciler, api_server: Any, obey: Any
) -> None:
    go_on = threading.Event()
    obey("slow")
    obey("names")
    reconciler.act["slow"] = lambda: 0.0 if go_on.wait(10) else LONG
    start_controller()
    until(lambda: reconciler.count("slow") == 1)
    for number in range(3):
        obey("slow", lookSeconds=number + 1)
        obey("names", lookSeconds=number + 1)
        until(lambda asked=number + 2: reconciler.count("names") >= asked)  # type: ignore[misc]
    assert reconciler.count("slow") == 1
    go_on.set()
    until(lambda: reconciler.count("slow") >= 3)
    assert reconciler.most_at_once == 1


@pytest.mark.parametrize("error", [RuntimeError("?"), KeyError("x"), Away("a"), Conflict("c"), Gone("g")])
def test_whatever_befalls_one_it_is_tried_again_and_others_go_on(
    error: Exception,
    start_controller: Any,
    reconciler: Reconciler,
    obey: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(controlling, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(controlling, "_BROKEN_SECONDS", 0.05)

    def fail() -> float:
        raise error

    reconciler.act["broken"] = fail
    reconciler.act["names"] = lambda: 0.05
    obey("broken")
    obey("names")
    start_controller()
    until(lambda: reconciler.count("broken") >= 3 and reconciler.count("names") >= 3)


def test_an_api_server_that_is_away_is_asked_again_and_nothing_is_forgotten(
    start_controller: Any, reconciler: Reconciler, api_server: Any, obey: Any
) -> None:
    obey("names")
    controller = start_controller()
    until(lambda: reconciler.count("names") == 1)
    api_server.is_away = True
    time.sleep(0.3)
    assert controller.silent_seconds < 0.3, "it does not hang"
    api_server.is_away = False
    rounds(api_server)
    assert (reconciler.count("names"), reconciler.forgotten) == (1, [])


def test_a_kind_that_the_cluster_does_not_have_keeps_nobody_from_their_turns(
    start_controller: Any, reconciler: Reconciler, api_server: Any, obey: Any
) -> None:
    obey("names")
    api_server.missing.add("serving.knative.dev")
    start_controller()
    until(lambda: reconciler.count("names") == 1)


def test_a_policy_that_is_gone_is_forgotten_and_one_of_its_name_begins_anew(
    start_controller: Any, reconciler: Reconciler, api_server: Any, obey: Any
) -> None:
    obey("names")
    start_controller()
    until(lambda: reconciler.count("names") == 1)
    api_server.take_away(*POLICIES, "default", "names")
    obey("names")
    until(lambda: reconciler.count("names") == 2)
    assert reconciler.forgotten == ["names"]
    obey("names", "others")
    until(lambda: reconciler.count("names") == 3)
    assert reconciler.forgotten == ["names"] * 2, "it is for another service"


def test_of_two_for_one_service_the_older_has_it_and_then_the_other(
    start_controller: Any, reconciler: Reconciler, api_server: Any, obey: Any
) -> None:
    obey("older", "names")
    obey("newer", "names")
    obey("others", "others")
    start_controller()
    until(lambda: len(reconciler.turns) == 3)
    assert dict(reconciler.turns) == {"older": None, "newer": "older", "others": None}
    api_server.take_away(*POLICIES, "default", "older")
    until(lambda: reconciler.count("newer") == 2)
    assert reconciler.turns[-1] == ("newer", None)


def test_what_is_being_done_is_done_before_it_ends(
    connection: Any, reconciler: Reconciler, registry: CollectorRegistry, obey: Any
) -> None:
    arrived, go_on, ended, done = (threading.Event() for _ in range(4))

    def take_long() -> float:
        arrived.set()
        go_on.wait(10)
        done.set()
        return LONG

    obey("names")
    reconciler.act["names"] = take_long
    controller = Controller(Cluster(connection), reconciler, CanaryMetrics(registry))  # type: ignore[arg-type]
    thread = threading.Thread(target=controller.run, args=(ended,))
    thread.start()
    assert arrived.wait(10)
    ended.set()
    thread.join(0.3)
    assert thread.is_alive()
    go_on.set()
    thread.join(10)
    assert done.is_set()
    assert not thread.is_alive()
