"""A world for the controller: an API server that knows versions, a service with callers, and a clock."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from api_servers import merge
from prometheus_client import CollectorRegistry

from modelserve.canary.controller.ledger import Ledger
from modelserve.canary.controller.metrics import CanaryMetrics
from modelserve.canary.controller.reconciling import Reconciler
from modelserve.canary.controller.trial import Books
from modelserve.canary.journal import Journal
from modelserve.canary.judge.measurements import Counters, Look
from modelserve.canary.rollout import Away, Changed, Gone, NothingNew, RolloutState
from modelserve.canary.rollout.objects import Conflict
from modelserve.canary.sources import NotMeasured

SPEC = {
    "targetRef": {"name": "names"},
    "prometheus": {"url": "http://prometheus"},
    "steps": [
        {"percent": 10, "leastSeconds": 60, "mostSeconds": 600},
        {"percent": 50, "leastSeconds": 60, "mostSeconds": 600},
    ],
    "readySeconds": 300,
    "warmUp": {"seconds": 0, "requests": 0},
    "checks": {
        "errors": {"tolerated": 0.001, "limit": 0.05},
        "disabled": ["latency", "labels", "confidence"],
    },
}


class Died(BaseException):
    """The process is no more."""


@dataclass
class World:
    """A cluster with one service, its callers, a policy, and what measures it."""

    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    now: float = 1000.0
    state: RolloutState = field(
        default_factory=lambda: RolloutState("one", "one", 0, is_ready=True, failure="", fingerprint="a")
    )
    error_shares: dict[str, float] = field(default_factory=dict)
    counts: dict[str, list[float]] = field(default_factory=dict)
    policy: dict[str, Any] | None = None
    version: int = 1
    events: list[tuple[str, str, bool]] = field(default_factory=list)
    promoted: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    cluster_is_away: bool = False
    prometheus_is_away: bool = False
    refusal: Exception | None = None
    dies: Callable[[str], bool] = lambda what: False

    def __post_init__(self) -> None:
        self.state = replace(self.state, canary=None)
        self.create(SPEC)

    # the API server

    def create(self, spec: dict[str, Any], *, uid: str = "u") -> None:
        self.policy = {
            "metadata": {
                "namespace": "default",
                "name": "names",
                "uid": uid,
                "generation": 1,
                "resourceVersion": "1",
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": copy.deepcopy(spec),
        }

    def edit(self, **spec: Any) -> None:
        assert self.policy is not None
        self.policy["spec"].update(spec)
        self.policy["metadata"]["generation"] += 1
        self._touch()

    def read(self) -> dict[str, Any]:
        self._answer()
        if self.policy is None:
            raise Gone("there is no CanaryPolicy default/names")
        return copy.deepcopy(self.policy)

    def write_status(self, policy: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
        self._answer()
        if self.policy is None:
            raise Gone("there is no CanaryPolicy default/names")
        if policy["metadata"]["resourceVersion"] != self.policy["metadata"]["resourceVersion"]:
            raise Conflict("it is not as it was read")
        merge(self.policy.setdefault("status", {}), status)
        self._touch()
        if "canary" in status:
            self.statuses.append(status["canary"]["phase"])
        self._die("after the status")
        return copy.deepcopy(self.policy)

    def tell(self, policy: dict[str, Any], *, reason: str, message: str, is_warning: bool) -> None:
        self.events.append((reason, message, is_warning))

    def _touch(self) -> None:
        assert self.policy is not None
        self.version += 1
        self.policy["metadata"]["resourceVersion"] = str(self.version)

    def _answer(self) -> None:
        if self.cluster_is_away:
            raise Away("the cluster does not answer")

    def _die(self, where: str) -> None:
        if self.dies(where):
            raise Died(where)

    # the service

    def rollout(self, spec: Any, namespace: str) -> Any:
        world = self

        class Moves:
            name = spec.target_ref.name

            def check(self) -> RolloutState:
                found = self.state()
                if world.refusal is not None:
                    raise world.refusal
                if found.canary is None:
                    raise NothingNew("nothing is newer")
                return found

            def state(self) -> RolloutState:
                world._answer()
                if isinstance(world.refusal, Gone):
                    raise world.refusal
                return world.state

            def shift(self, percent: int, expected: RolloutState) -> None:
                world._expect(expected)
                world._die("before the command")
                world.state = replace(world.state, percent=percent)
                world._die("after the command")

            def promote(self, expected: RolloutState) -> None:
                world._expect(expected)
                world._die("before the command")
                world.promoted.append(world.state.fingerprint)
                world.state = replace(world.state, stable=str(expected.canary), canary=None, percent=0)
                world._die("after the command")

        return Moves()

    def bring(self, number: int, *, error_share: float = 0.0) -> None:
        """A new model, as the webhook lets it in: without calls."""
        name = f"revision-{number}"
        self.error_shares[name] = error_share
        self.state = replace(self.state, canary=name, percent=0, fingerprint=f"model-{number}")

    def _expect(self, expected: RolloutState) -> None:
        self._answer()
        if not self.state.same_as(expected):
            raise Changed("changed")

    # what measures it

    def source(self, spec: Any, namespace: str) -> Any:
        world = self

        class Measures:
            def look(self, *, canary: str, stable: str) -> Look:
                if world.prometheus_is_away:
                    raise NotMeasured("Prometheus does not answer")
                one, two = (world.counts.get(name, [0.0, 0.0]) for name in (stable, canary))
                return Look(
                    world.now, canary={"b": Counters(two[0], two[1])}, stable={"a": Counters(one[0], one[1])}
                )

            def expect_presence(self, revision: str) -> None:
                if world.prometheus_is_away:
                    raise NotMeasured(f"Prometheus does not know {revision}")

            def close(self) -> None:
                pass

        return Measures()

    def wait(self, seconds: float) -> None:
        """Time passes, in which callers call."""
        self.now += seconds
        calls = round(100 * seconds)
        to_canary = calls * self.state.percent // 100
        for name, count in ((self.state.stable, calls - to_canary), (self.state.canary or "", to_canary)):
            counts = self.counts.setdefault(name, [0.0, 0.0])
            counts[0] += count
            counts[1] += round(count * self.error_shares.get(name, 0.0))

    # what a test asks

    @property
    def standing(self) -> dict[str, Any]:
        assert self.policy is not None
        found: dict[str, Any] = self.policy["status"]["canary"]
        return found

    @property
    def conditions(self) -> dict[str, tuple[str, str]]:
        assert self.policy is not None
        found = self.policy["status"]["conditions"]
        return {one["type"]: (one["status"], one["reason"]) for one in found}


@dataclass
class Process:
    """A controller's process, which may die, with a journal that does not."""

    world: World
    url: str
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.journal = Journal(self.url)
        self.decisions = 0
        books = Books(
            self.world,  # type: ignore[arg-type]
            Ledger(self.journal),
            CanaryMetrics(self.registry),
            on_decision=self._count,
        )
        self.reconciler = Reconciler(self.world, books, clock=lambda: self.world.now)

    def _count(self) -> None:
        self.decisions += 1

    def tick(self, **more: Any) -> float:
        return self.reconciler.reconcile(self.world.read(), **more)

    def reach(self, phase: str, *, most: int = 100) -> None:
        """Until the canary stands there."""
        for _ in range(most):
            self.world.wait(self.tick())
            if self.world.standing["phase"] == phase:
                return
        raise AssertionError(f"not {phase}: {self.world.standing}")

    def run(self, *, most: int = 500) -> None:
        """Until there is nothing to do."""
        for _ in range(most):
            seconds = self.tick()
            if seconds >= 60:
                return
            self.world.wait(seconds)
        raise AssertionError(f"no end: {self.world.standing}")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def start(world: World, tmp_path: Path) -> Callable[..., Process]:
    """Starts a process; a further one is as if the first had died."""

    def start(elsewhere: World | None = None) -> Process:
        # A journal for each world.
        own = elsewhere or world
        return Process(own, f"sqlite:///{tmp_path}/{own.name}.db")

    return start


@pytest.fixture
def process(start: Callable[..., Process]) -> Process:
    return start()


@pytest.fixture
def died() -> type[BaseException]:
    return Died


@pytest.fixture
def make_world() -> type[World]:
    return World
