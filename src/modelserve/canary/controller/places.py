"""What policies name, on the cluster and at the Prometheus that they say."""

from __future__ import annotations

from kubernetes import client

from modelserve.canary.controller.resource import CanaryPolicySpec
from modelserve.canary.rollout import Rollout
from modelserve.canary.rollout.inference_service import KIND as INFERENCE_SERVICE
from modelserve.canary.rollout.inference_service import InferenceServiceRollout
from modelserve.canary.rollout.knative_service import KnativeServiceRollout
from modelserve.canary.rollout.objects import Objects
from modelserve.canary.sources.prometheus import PrometheusSource


class ClusterPlaces:
    """Services of one cluster.

    Args:
        connection: to it.
    """

    def __init__(self, connection: client.ApiClient) -> None:
        self._connection = connection

    def rollout(self, spec: CanaryPolicySpec, namespace: str) -> Rollout:
        """What moves the traffic of the policy's service."""
        is_ours = spec.target_ref.kind == INFERENCE_SERVICE.name
        kind = InferenceServiceRollout if is_ours else KnativeServiceRollout
        return kind(Objects(self._connection, namespace), spec.target_ref.name)

    def source(self, spec: CanaryPolicySpec, namespace: str) -> PrometheusSource:
        """The Prometheus that measures it."""
        where = spec.prometheus
        return PrometheusSource.for_policy(where.url, spec.policy(), namespace=namespace, names=where.names)
