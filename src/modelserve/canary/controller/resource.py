"""A ``CanaryPolicy`` as the API server has it, and what it says."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from modelserve.canary.rollout.inference_service import KIND as INFERENCE_SERVICE
from modelserve.canary.rollout.knative_service import KIND as KNATIVE_SERVICE
from modelserve.canary.rollout.objects import Kind, Object
from modelserve.canary.running.specification import Specification, validated
from modelserve.written import Written

KIND = Kind("modelserve.dev", "v1alpha1", "canarypolicies", "CanaryPolicy")
TARGETS = {kind.name: kind for kind in (INFERENCE_SERVICE, KNATIVE_SERVICE)}
"""What a policy may be for."""


class TargetReference(Written):
    """What is rolled out, in the policy's namespace."""

    api_version: str = INFERENCE_SERVICE.api_version
    kind: str = INFERENCE_SERVICE.name
    name: str = Field(min_length=1)

    @model_validator(mode="after")
    def _is_of_a_kind(self) -> Self:
        kind = TARGETS.get(self.kind)
        if kind is None or kind.api_version != self.api_version:
            accepted = " and ".join(f"{kind.api_version} {kind.name}" for kind in TARGETS.values())
            raise ValueError(f"{self.api_version} {self.kind} is no kind of service; {accepted} are accepted")
        return self


class Measurements(Written):
    """Where both revisions are measured: the URL of a Prometheus, and whose metrics it has."""

    url: str = Field(pattern="^https?://")
    names: Literal["modelserve", "knative", "istio"] = "modelserve"


class CanaryPolicySpec(Specification):
    """A canary's steps and checks, for each new model of one service."""

    target_ref: TargetReference
    prometheus: Measurements
    suspend: bool = False


def spec_of(policy: Object) -> CanaryPolicySpec:
    """What a policy says.

    Raises:
        SpecificationError: it cannot be obeyed.
    """
    return validated(CanaryPolicySpec, policy.get("spec", {}))


def target_of(policy: Object) -> tuple[str, str, str]:
    """The namespace, kind and name of what a policy is for, whether or not the rest can be obeyed."""
    reference = policy.get("spec", {}).get("targetRef", {})
    kind = reference.get("kind", "InferenceService")
    return policy["metadata"]["namespace"], kind, reference.get("name", "")
