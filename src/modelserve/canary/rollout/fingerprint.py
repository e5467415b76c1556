"""What of an InferenceService makes a new revision when it changes, as KServe 0.20 sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from modelserve.canary.rollout.objects import Object

FIELD = "canaryTrafficPercent"

_ANNOTATIONS = frozenset(
    {
        "autoscaling.knative.dev/min-scale",
        "autoscaling.knative.dev/max-scale",
        "internal.serving.kserve.io/storage-initializer-sourceuri",
        "kubectl.kubernetes.io/last-applied-configuration",
        "modelFormat",
        # These are the Knative Service's own.
        "serving.knative.dev/rollout-duration",
        "serving.knative.openshift.io/enablePassthrough",
    }
)
_LABELS = frozenset({"networking.knative.dev/visibility"})
# Of the predictor: the share, and what KServe reads in Standard mode only.
_FIELDS = frozenset({FIELD, "autoScaling", "deploymentStrategy", "scaleMetricType"})


@dataclass(frozen=True, slots=True)
class Ignored:
    """What KServe does not hand on to revisions (pkg/constants, ServiceAnnotationDisallowedList).

    Attributes:
        annotations: of the InferenceService.
        labels: likewise.
    """

    annotations: frozenset[str] = _ANNOTATIONS
    labels: frozenset[str] = _LABELS

    @classmethod
    def configured(cls, config: Mapping[str, Any]) -> Ignored:
        """What a cluster's ConfigMap ``inferenceservice-config`` adds to it.

        Args:
            config: its ``inferenceService``.
        """
        annotations = config.get("serviceAnnotationDisallowedList") or ()
        labels = config.get("serviceLabelDisallowedList") or ()
        return cls(_ANNOTATIONS.union(annotations), _LABELS.union(labels))


USUALLY_IGNORED = Ignored()


def fingerprint(service: Object, ignored: Ignored = USUALLY_IGNORED) -> str:
    """Of all that makes a new revision: any change of the predictor, a label or an annotation.

    A ServingRuntime's change does too, and is not in the InferenceService. What makes no difference to
    KServe, as a model format whose runtime is named beside it, counts as a change here.
    """
    spec = service["spec"]["predictor"]
    predictor = {key: value for key, value in spec.items() if key not in _FIELDS}
    metadata = service["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    whole = [
        predictor,
        {key: value for key, value in labels.items() if key not in ignored.labels},
        {key: value for key, value in annotations.items() if key not in ignored.annotations},
    ]
    return sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]
