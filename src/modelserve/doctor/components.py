"""The parts of an InferenceService, and what runs each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modelserve.doctor.checks.selectors import selects
from modelserve.doctor.facts import Facts, Object, condition

KNATIVE_MODES = ("Knative", "Serverless")  # the older name of the same
SERVICES = "inferenceservices.serving.kserve.io"
_REVISIONS = "revisions.serving.knative.dev"
_REVISION_LABEL = "serving.knative.dev/revision"
_SERVICE_LABEL = "serving.kserve.io/inferenceservice"
_MODE = "serving.kserve.io/deploymentMode"


@dataclass(frozen=True, slots=True)
class Component:
    """A predictor, a transformer or an explainer.

    Attributes:
        service: the InferenceService.
        kind: ``predictor``, ``transformer`` or ``explainer``.
        is_knative: whether Knative runs it.
        revision: the newest revision that Knative has made; None before there is one, and in Standard mode.
        is_ready: whether the newest revision, or the Deployment, can answer.
        still_serving: an older revision that has calls; None where there is none.
    """

    service: Object
    kind: str
    is_knative: bool
    revision: Object | None
    is_ready: bool
    still_serving: str | None

    @property
    def namespace(self) -> str:
        """That it is in."""
        found: str = self.service["metadata"]["namespace"]
        return found

    @property
    def spec(self) -> Object:
        """What the InferenceService asks for."""
        found: Object = self.service["spec"][self.kind]
        return found

    @property
    def _labels(self) -> dict[str, str]:
        """Of its pods: of the newest revision's where there is one."""
        wanted = {_SERVICE_LABEL: self.service["metadata"]["name"], "component": self.kind}
        if self.revision is not None:
            wanted[_REVISION_LABEL] = self.revision["metadata"]["name"]
        return wanted

    def pods(self, facts: Facts) -> list[Object]:
        """Pods of the newest revision, the newest first; in Standard mode of all Deployments of it."""
        wanted = self._labels
        return sorted(
            (one for one in facts.of("pods", self.namespace) if _has(one, wanted) and _stays(one)),
            key=lambda one: str(one["metadata"]["creationTimestamp"]),
            reverse=True,
        )

    def deployments(self, facts: Facts) -> list[Object]:
        """What keeps the pods."""
        wanted, found = self._labels, facts.of("deployments.apps", self.namespace)
        return [one for one in found if _has(one["spec"]["template"], wanted)]


def components(service: Object, facts: Facts) -> Iterator[Component]:
    """The parts that an InferenceService has."""
    spec, name = service["spec"], service["metadata"]["name"]
    namespace = service["metadata"]["namespace"]
    status = service.get("status") or {}
    asked = service["metadata"].get("annotations", {}).get(_MODE)
    is_knative = (status.get("deploymentMode") or asked or KNATIVE_MODES[0]) in KNATIVE_MODES
    for kind in ("predictor", "transformer", "explainer"):
        if not spec.get(kind):
            continue
        if not is_knative:
            yield Component(service, kind, False, None, _deployed(service, kind, facts), None)
            continue
        told = (status.get("components") or {}).get(kind) or {}
        knative = facts.find("services.serving.knative.dev", namespace, f"{name}-{kind}")
        newest = ((knative or {}).get("status") or {}).get("latestCreatedRevisionName") or told.get(
            "latestCreatedRevision"
        )
        revision = facts.find(_REVISIONS, namespace, newest) if newest else None
        is_ready = condition(revision, "Ready").get("status") == "True"
        is_as_asked = condition(service, f"{kind.capitalize()}Ready").get("reason") != "ReconcileFailed"
        traffic = ((knative or {}).get("status") or {}).get("traffic") or []
        others = [
            one["revisionName"]
            for one in traffic
            if one.get("percent") and one.get("revisionName", newest) != (newest if is_as_asked else None)
        ]
        yield Component(
            service, kind, True, revision, is_ready and is_as_asked, others[0] if others else None
        )


def _deployed(service: Object, kind: str, facts: Facts) -> bool:
    """Whether the Deployment is as it is asked for, all of it."""
    name = f"{service['metadata']['name']}-{kind}"
    found = facts.find("deployments.apps", service["metadata"]["namespace"], name)
    if found is None:
        return False
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    return bool(
        status.get("observedGeneration") == found["metadata"]["generation"]
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("availableReplicas", 0) >= wanted
    )


def _has(one: Object, wanted: dict[str, str]) -> bool:
    return selects({"matchLabels": wanted}, one["metadata"].get("labels") or {})


def _stays(pod: Object) -> bool:
    """Whether a pod is neither going nor one that has ended for good."""
    return "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") != "Succeeded"
