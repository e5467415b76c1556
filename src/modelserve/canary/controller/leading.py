"""One leader among the controller's replicas, by a Lease."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from urllib3.exceptions import HTTPError

NAME = "modelserve-canary-controller"

_REQUEST_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Election:
    """Leads, or waits until whoever leads does no longer.

    The leader gives up when it could not renew its lease for two thirds of its time: a cluster that is away
    for less stops nobody. Were there two for a moment, the API server would take one's status only.

    Args:
        connection: to the cluster.
        namespace: of the Lease.
        identity: of this replica.
        lease_seconds: how long it holds without being renewed.
    """

    def __init__(
        self, connection: client.ApiClient, namespace: str, identity: str, *, lease_seconds: int = 45
    ) -> None:
        self._lock = LeaseLock(NAME, namespace, identity)
        self._lock.api_instance = self._leases = _Leases(connection)
        self._seconds = lease_seconds

    def run(self, lead: Callable[[], None]) -> threading.Event:
        """Wait for the lease on a thread of its own, and lead.

        Args:
            lead: is called on a further thread, once.

        Returns:
            Set when the lease is lost, or ``lead`` has raised.
        """
        logging.getLogger("leaderelection").setLevel(logging.WARNING)  # else it tells of every renewal
        lost = threading.Event()
        config = electionconfig.Config(
            self._lock,
            lease_duration=self._seconds,
            renew_deadline=self._seconds * 2 / 3,
            retry_period=self._seconds / 20,
            onstarted_leading=lead,
            onstopped_leading=lost.set,
        )
        election = leaderelection.LeaderElection(config)
        threading.Thread(target=election.run, name="election", daemon=True).start()
        return lost

    def give_back(self) -> None:
        """Let another lead at once, instead of when the lease has run out; this one never will again.

        To be called when nothing is done any more that the lease is for.
        """
        try:
            self._leases.give_back(self._lock.name, self._lock.namespace, self._lock.identity)
        except ApiException as error:
            logger.warning("the lease is not given back, and runs out: %s", error.reason)


class _Leases(client.CoordinationV1Api):  # type: ignore[misc]  # without types
    """Leases asked for with an end to waiting, whose every error is one that an election goes on after."""

    def __init__(self, connection: client.ApiClient) -> None:
        super().__init__(connection)
        self._writing = threading.Lock()
        self._is_given_back = False

    def give_back(self, name: str, namespace: str, identity: str) -> None:
        """Take the holder out of a lease that is held by this one, and hold none any more."""
        with self._writing:
            # The election goes on, and would take it again.
            self._is_given_back = True
            lease = self.read_namespaced_lease(name, namespace)
            if lease.spec.holder_identity == identity:
                lease.spec.holder_identity = None
                _bounded(super().replace_namespaced_lease, name, namespace, lease)

    def read_namespaced_lease(self, *arguments: Any, **more: Any) -> Any:
        return _bounded(super().read_namespaced_lease, *arguments, **more)

    def create_namespaced_lease(self, *arguments: Any, **more: Any) -> Any:
        return self._write(super().create_namespaced_lease, *arguments, **more)

    def replace_namespaced_lease(self, *arguments: Any, **more: Any) -> Any:
        return self._write(super().replace_namespaced_lease, *arguments, **more)

    def _write(self, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        with self._writing:
            if self._is_given_back:
                raise ApiException(status=0, reason="the lease was given back")
            return _bounded(call, *arguments, **more)


def _bounded(call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    try:
        return call(*arguments, _request_timeout=_REQUEST_SECONDS, **more)
    except HTTPError as error:
        raise ApiException(status=0, reason=str(error)) from error
