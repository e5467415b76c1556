"""Decides about changes on a cluster: which InferenceServices have a policy, and what KServe hands on."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from kubernetes import client

from modelserve.canary.admission.reviews import Change
from modelserve.canary.admission.sharing import operations
from modelserve.canary.controller.cluster import Cluster
from modelserve.canary.controller.resource import target_of
from modelserve.canary.rollout import CannotRollOut
from modelserve.canary.rollout.fingerprint import USUALLY_IGNORED, Ignored
from modelserve.canary.rollout.inference_service import KIND
from modelserve.canary.rollout.objects import TIMEOUT_SECONDS, telling

_CONFIG = "inferenceservice-config"
_READ_AGAIN_SECONDS = 60.0

logger = logging.getLogger(__name__)


class Gate:
    """Lets changes in.

    A policy holds here whatever else it says, suspended or with a mistake in it: a new model waits until a
    controller that can obey it does.

    Args:
        connection: to the cluster.
        kserve_namespace: that KServe is in.
    """

    def __init__(self, connection: client.ApiClient, *, kserve_namespace: str) -> None:
        self._connection, self._kserve_namespace = connection, kserve_namespace
        self._core = client.CoreV1Api(connection)
        self._ignored, self._due = USUALLY_IGNORED, 0.0

    def decide(self, change: Change) -> list[dict[str, Any]]:
        """What is to be changed of a change, as JSON Patch.

        Raises:
            CannotRollOut: the cluster does not say which policies there are.
        """
        namespace, name = change.name
        policies = Cluster(self._connection, namespace=namespace).policies()
        if (namespace, KIND.name, name) not in map(target_of, policies):
            return []
        found = operations(change.old, change.new, manager=change.manager, ignored=self._read_ignored())
        if found:
            logger.info("%s/%s, changed by %s, is let in with %s", namespace, name, change.manager, found)
        return found

    def _read_ignored(self) -> Ignored:
        if time.monotonic() >= self._due:
            try:
                with telling(f"ConfigMap {self._kserve_namespace}/{_CONFIG}"):
                    config = self._core.read_namespaced_config_map(
                        _CONFIG, self._kserve_namespace, _request_timeout=TIMEOUT_SECONDS
                    )
                self._ignored = Ignored.configured(json.loads((config.data or {})["inferenceService"]))
                self._due = time.monotonic() + _READ_AGAIN_SECONDS
            except (CannotRollOut, KeyError, ValueError, TypeError, AttributeError) as error:
                logger.warning("what KServe is configured to hand on is not known: %s", error)
        return self._ignored
