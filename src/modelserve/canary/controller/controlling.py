"""The controller's rounds: which policies there are, and whose turn it is."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from modelserve.canary.controller.cluster import Cluster
from modelserve.canary.controller.metrics import CanaryMetrics
from modelserve.canary.controller.reconciling import Reconciler
from modelserve.canary.controller.resource import target_of
from modelserve.canary.rollout import CannotRollOut, Gone
from modelserve.canary.rollout.objects import Conflict, Object

_ROUND_SECONDS = 1.0
_WORKERS = 16
"""At most so many policies wait for an answer at once: none waits long for another's Prometheus."""

_RETRY_SECONDS = 2.0
_BROKEN_SECONDS = 30.0

logger = logging.getLogger(__name__)

Name = tuple[str, str]


@dataclass
class _Turn:
    """When a policy is looked at next.

    Attributes:
        uid: tells it from one of the same name that was there before.
        target: what it is for: namespace, kind and name.
        seen: the versions of the policy and its target when it was last looked at.
        due: by the monotonic clock.
        running: while it is looked at.
    """

    uid: str
    target: tuple[str, str, str]
    seen: tuple[str, str | None] = ("", None)
    due: float = 0.0
    running: Future[float] | None = None


class Controller:
    """Looks after all policies until it is told to end.

    Policies and services are listed every second rather than watched: a list out of the API server's cache
    is cheap, knows no gaps, and nothing depends on a second, as a new model has no calls until it is told so.

    Args:
        cluster: has the policies.
        reconciler: takes one a step further.
        metrics: forget what is gone.
    """

    def __init__(self, cluster: Cluster, reconciler: Reconciler, metrics: CanaryMetrics) -> None:
        self._cluster, self._reconciler, self._metrics = cluster, reconciler, metrics
        self._turns: dict[Name, _Turn] = {}
        self._last_round = time.monotonic()

    def run(self, ended: threading.Event) -> None:
        """Go on until the event is set, and what is being done then is done."""
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="policy") as workers:
            while not ended.is_set():
                try:
                    self._go_round(workers)
                except CannotRollOut as error:
                    logger.warning("the policies cannot be read: %s", error)
                self._last_round = time.monotonic()
                ended.wait(_ROUND_SECONDS)

    @property
    def silent_seconds(self) -> float:
        """Since the last round; a lot where it hangs."""
        return time.monotonic() - self._last_round

    def _go_round(self, workers: ThreadPoolExecutor) -> None:
        policies, versions = self._cluster.policies(), self._cluster.versions()
        rivals = _rivals(policies)
        self._forget_gone(policies)
        for policy in policies:
            metadata = policy["metadata"]
            name = (metadata["namespace"], metadata["name"])
            turn = self._turns.setdefault(name, _Turn(metadata["uid"], target_of(policy)))
            if turn.running is not None:
                if not turn.running.done():
                    continue
                turn.due = time.monotonic() + turn.running.result()
                turn.running = None
            seen = (f"{metadata['generation']} {rivals.get(name)}", versions.get(target_of(policy)))
            if seen != turn.seen or time.monotonic() >= turn.due:
                turn.seen = seen
                turn.running = workers.submit(self._reconcile, name, rivals.get(name))

    def _reconcile(self, name: Name, rival: str | None) -> float:
        """Seconds until the policy's next turn, whatever happens."""
        try:
            return self._reconciler.reconcile(self._cluster.policy(*name), rival=rival)
        except Conflict as error:
            logger.info("%s/%s is read again: %s", *name, error)
        except Gone:
            pass  # the next round knows
        except CannotRollOut as error:
            logger.warning("%s/%s waits: %s", *name, error)
        except Exception:
            # One policy's bad luck is no other's.
            logger.exception("%s/%s cannot be looked after", *name)
            return _BROKEN_SECONDS
        return _RETRY_SECONDS

    def _forget_gone(self, policies: list[Object]) -> None:
        uids = {policy["metadata"]["uid"]: target_of(policy) for policy in policies}
        for name, turn in list(self._turns.items()):
            if uids.get(turn.uid) != turn.target and (turn.running is None or turn.running.done()):
                del self._turns[name]
                self._reconciler.forget(*name)
                namespace, _, service = turn.target
                self._metrics.forget(namespace, service)


def _rivals(policies: list[Object]) -> dict[Name, str]:
    """By a policy's name, the one that came first for the same service."""
    first: dict[tuple[str, str, str], str] = {}
    rivals = {}
    for policy in sorted(policies, key=_age):
        metadata, target = policy["metadata"], target_of(policy)
        if target in first:
            rivals[metadata["namespace"], metadata["name"]] = first[target]
        first.setdefault(target, metadata["name"])
    return rivals


def _age(policy: Object) -> tuple[str, str]:
    return policy["metadata"]["creationTimestamp"], policy["metadata"]["name"]
